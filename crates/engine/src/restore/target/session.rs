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
        .hint("wait for it, or end it; one that was killed just now holds it until the server has noticed: run this again");
    Err(Error::Refused(vec![objection]))
}

/// Whoever holds the lock is the only restore: other sessions of one were left behind by a process that was killed, or by
/// connections that were lost, and go on with their statement until it ends. What they commit has to be in the book before
/// it is read.
pub(super) async fn end_leftovers(server: &Server) -> Result<(), Error> {
    let sql = "SELECT count(*) FILTER (WHERE NOT pg_terminate_backend(pid, 10000)) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
                 AND application_name = 'lethe restore' AND usename = current_user";
    let sessions = query(server, sql).await?.first().map_or(0, |row| row.get::<_, i64>(0));
    if sessions == 0 {
        return Ok(());
    }
    Err(Error::Leftovers { database: server.settings().database().to_owned(), sessions })
}

/// What a server tells its log, and modules that listen, about statements, their parameters and their errors: a failing
/// COPY would put a row there. Each can be set by superusers and by roles that were granted it (`GRANT SET ON PARAMETER`);
/// for others the rows that are sent may appear there, which are never those of erased people.
const QUIET: [(&str, &str); 13] = [
    // An error's own text quotes values as well as its details; Lethe says what went wrong, without them.
    ("log_min_messages", "fatal"),
    ("log_min_error_statement", "panic"),
    ("log_error_verbosity", "terse"),
    ("log_statement", "none"),
    ("log_duration", "off"),
    ("log_min_duration_statement", "-1"),
    ("log_min_duration_sample", "-1"),
    ("log_transaction_sample_rate", "0"),
    ("log_parameter_max_length", "0"),
    ("log_parameter_max_length_on_error", "0"),
    ("auto_explain.log_min_duration", "-1"),
    ("pgaudit.log", "none"),
    ("pg_stat_statements.track", "none"),
];

async fn quiet_log(server: &Server) {
    // Of a module that is not there nothing is set; one setting that is refused does not keep the others from being set.
    let set = |(name, value): &(&str, &str)| {
        format!(
            "IF current_setting('{name}', true) IS NOT NULL THEN
                 BEGIN SET {name} = '{value}'; EXCEPTION WHEN insufficient_privilege THEN NULL; END;
             END IF;"
        )
    };
    let settings: String = QUIET.iter().map(set).collect();
    if server.client().batch_execute(&format!("DO $$ BEGIN {settings} END $$")).await.is_err() {
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
