//! Sessions of a restore in its target, and who else could have one.

use lethe_format::sql::quote_ident;
use lethe_postgres::{ConnectionSettings, Purpose, Server};
use lethe_rules::objection::{Code, Objection};

use super::query;
use crate::Error;

pub(super) async fn connect(settings: &ConnectionSettings, role: Option<&str>) -> Result<Server, Error> {
    let server = Server::connect(settings, Purpose::Restore).await?;
    // Until the cut-over nothing is worth waiting for the disk: a crash of the server loses whole transactions only,
    // and their records with them. Compiled expressions cost more than they save here.
    let mut sql = String::from("SET synchronous_commit = off; SET jit = off;");
    if let Some(role) = role {
        sql.push_str(&format!("SET ROLE {};", quote_ident(role)));
    }
    server.run(&sql, "prepare the session of", settings).await?;
    quiet_log(&server).await;
    Ok(server)
}

/// Two restores into one database would each do what the other has not recorded yet. One that was killed just now
/// still holds the lock for a moment.
pub(super) async fn take_lock(server: &Server) -> Result<(), Error> {
    if server.lock_for_session("lethe restore").await? {
        return Ok(());
    }
    let object = format!("database {}", server.settings().database());
    let objection = Objection::new(Code::TargetInUse, object, "another restore into it is under way")
        .hint("wait for it, or end it");
    Err(Error::Refused(vec![objection]))
}

/// Whoever holds the lock is the only restore: other sessions of one were left behind by a process that was killed, and
/// go on with their statement until it ends.
pub(super) async fn end_leftovers(server: &Server) -> Result<(), Error> {
    let sql = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
                 AND application_name = 'lethe restore' AND usename = current_user";
    query(server, sql).await?;
    Ok(())
}

/// A failing COPY would put a row into the server's log. Only superusers, and roles that were granted it, may turn that
/// off; for others the rows that are sent may appear there, which are never those of erased people.
async fn quiet_log(server: &Server) {
    let quiet = "SET log_min_error_statement = 'panic'; SET log_error_verbosity = 'terse'; SET log_statement = 'none'; SET log_min_duration_statement = -1";
    if server.client().batch_execute(quiet).await.is_err() {
        tracing::debug!("the role may not quiet the server's log");
    }
}

/// Who was granted the right to connect, besides the restoring role; the empty name is `PUBLIC`. The owner is among
/// them if the restoring role, as a superuser, does not need the owner's right.
pub(super) async fn connect_roles(server: &Server) -> Result<Vec<String>, Error> {
    let sql = "
        SELECT CASE WHEN a.grantee = 0 THEN '' ELSE pg_get_userbyid(a.grantee)::text END
        FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a, pg_roles me
        WHERE d.datname = current_database() AND a.privilege_type = 'CONNECT' AND me.rolname = current_user
          AND (a.grantee <> d.datdba OR me.rolsuper) AND a.grantee <> me.oid";
    Ok(query(server, sql).await?.iter().map(|row| row.get(0)).collect())
}

/// Roles that could connect to the database although it is closed: those that may act as its owner or as the restoring
/// role, where that is no superuser. Superusers always can; no right can be taken from them.
pub(crate) async fn may_connect(server: &Server) -> Result<Vec<String>, Error> {
    let sql = "
        SELECT r.rolname::text FROM pg_roles r, pg_database d, pg_roles me
        WHERE d.datname = current_database() AND me.rolname = current_user AND NOT me.rolsuper
          AND r.rolcanlogin AND NOT r.rolsuper AND r.oid <> me.oid
          AND (pg_has_role(r.oid, d.datdba, 'USAGE') OR pg_has_role(r.oid, me.oid, 'USAGE'))
        ORDER BY 1";
    Ok(query(server, sql).await?.iter().map(|row| row.get(0)).collect())
}
