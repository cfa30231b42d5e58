//! What a source has besides tables, and what a target must have or must not have.

use lethe_format::catalog::QualifiedName;
use lethe_format::manifest::Extension;

use crate::{Error, Server};

const STAGE: &str = "look at";

async fn names(server: &Server, sql: &str) -> Result<Vec<String>, Error> {
    let rows = server.client().query(sql, &[]).await.map_err(Error::server(STAGE, server.settings()))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Extensions of the current database, except the one that every database has.
pub async fn extensions(server: &Server) -> Result<Vec<Extension>, Error> {
    let sql = "SELECT extname::text, extversion FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY 1";
    let rows = server.client().query(sql, &[]).await.map_err(Error::server(STAGE, server.settings()))?;
    Ok(rows.iter().map(|row| Extension { name: row.get(0), version: row.get(1) }).collect())
}

/// Extensions that the server could create, in the version that it would take.
pub async fn available_extensions(server: &Server) -> Result<Vec<Extension>, Error> {
    let sql = "SELECT name::text, coalesce(default_version, '') FROM pg_available_extensions";
    let rows = server.client().query(sql, &[]).await.map_err(Error::server(STAGE, server.settings()))?;
    Ok(rows.iter().map(|row| Extension { name: row.get(0), version: row.get(1) }).collect())
}

/// Roles that own something in the current database or stand in one of its grants or policies.
pub async fn roles_in_use(server: &Server) -> Result<Vec<String>, Error> {
    let sql = "
        SELECT DISTINCT r.rolname::text FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid
        WHERE d.refclassid = 'pg_authid'::regclass
          AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 1";
    names(server, sql).await
}

pub async fn roles(server: &Server) -> Result<Vec<String>, Error> {
    names(server, "SELECT rolname::text FROM pg_roles").await
}

/// Roles that the current one is a member of, itself included: it can give them what it creates.
pub async fn own_roles(server: &Server) -> Result<Vec<String>, Error> {
    names(server, "SELECT rolname::text FROM pg_roles WHERE pg_has_role(current_user, oid, 'MEMBER')").await
}

pub async fn tablespaces(server: &Server) -> Result<Vec<String>, Error> {
    names(server, "SELECT spcname::text FROM pg_tablespace").await
}

/// Tablespaces that relations of the current database lie in, besides its own.
pub async fn tablespaces_in_use(server: &Server) -> Result<Vec<String>, Error> {
    let sql =
        "SELECT DISTINCT t.spcname::text FROM pg_class c JOIN pg_tablespace t ON t.oid = c.reltablespace
               WHERE c.relpersistence <> 't' AND t.spcname <> 'pg_global' ORDER BY 1";
    names(server, sql).await
}

/// Populated materialised views, in an order in which they can be refreshed.
pub async fn populated_views(server: &Server) -> Result<Vec<QualifiedName>, Error> {
    // A view's rule depends on what the view reads; the depth of that chain is a safe order.
    const QUERY: &str = "
        WITH RECURSIVE edges AS (
            SELECT DISTINCT r.ev_class AS reader, d.refobjid AS read
            FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
            WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
        ), depths AS (
            SELECT c.oid, 0 AS depth FROM pg_class c WHERE c.relkind = 'm' AND c.relispopulated
          UNION
            SELECT e.reader, depths.depth + 1 FROM depths JOIN edges e ON e.read = depths.oid
        )
        SELECT n.nspname::text, c.relname::text
        FROM depths JOIN pg_class c ON c.oid = depths.oid JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_depend m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid AND m.deptype = 'e'
        WHERE c.relkind = 'm' AND c.relispopulated AND m.objid IS NULL
        GROUP BY 1, 2 ORDER BY max(depths.depth), 1, 2";
    let rows = server.client().query(QUERY, &[]).await.map_err(Error::server(STAGE, server.settings()))?;
    Ok(rows.iter().map(|row| QualifiedName::new(row.get::<_, String>(0), row.get::<_, String>(1))).collect())
}

/// Objects of a user in the current database, a few of them by name; empty for a database that was just created.
pub async fn user_objects(server: &Server) -> Result<Vec<String>, Error> {
    let sql = "
        SELECT format('%s.%s', n.nspname, c.relname)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_depend m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid AND m.deptype = 'e'
        WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r','p','v','m','S','f')
          AND m.objid IS NULL
        UNION ALL
        SELECT format('function %s.%s', n.nspname, p.proname)
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        LEFT JOIN pg_depend m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid AND m.deptype = 'e'
        WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND m.objid IS NULL
        UNION ALL
        SELECT format('type %s.%s', n.nspname, t.typname)
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
        LEFT JOIN pg_depend m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid AND m.deptype = 'e'
        WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND m.objid IS NULL AND t.typtype IN ('e','d','r')
        UNION ALL
        SELECT format('schema %s', nspname) FROM pg_namespace
        WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')
        UNION ALL
        SELECT format('large object %s', oid) FROM pg_largeobject_metadata
        LIMIT 10";
    names(server, sql).await
}

/// What the current database says that it is for: `ALTER DATABASE … SET lethe.label`, for all roles (`pg_db_role_setting`).
pub async fn database_label(server: &Server) -> Result<Option<String>, Error> {
    let sql = "
        SELECT substr(c, strpos(c, '=') + 1) FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) c
        WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) AND s.setrole = 0
          AND lower(split_part(c, '=', 1)) = 'lethe.label'";
    Ok(names(server, sql).await?.pop())
}

/// Through what rows and statements leave the server, by name; the last three are counts.
pub async fn outflow(server: &Server) -> Result<Vec<(String, String)>, Error> {
    let sql = "
        SELECT name, setting FROM pg_settings
        WHERE name IN ('log_statement', 'log_min_duration_statement', 'log_min_duration_sample', 'archive_mode')
        UNION ALL SELECT 'publications', count(*)::text FROM pg_publication
        UNION ALL SELECT 'standbys', count(*)::text FROM pg_stat_replication
        UNION ALL SELECT 'replication slots', count(*)::text FROM pg_replication_slots";
    let rows = server.client().query(sql, &[]).await.map_err(Error::server(STAGE, server.settings()))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Other sessions in the current database.
pub async fn other_sessions(server: &Server) -> Result<i64, Error> {
    let sql = "SELECT count(*) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
                 AND application_name <> 'lethe restore'";
    let row = server.client().query_one(sql, &[]).await.map_err(Error::server(STAGE, server.settings()))?;
    Ok(row.get(0))
}

/// True if the current role may do as it likes with the database: its owner, or a superuser.
pub async fn owns_database(server: &Server) -> Result<bool, Error> {
    let sql = "SELECT pg_has_role(current_user, datdba, 'USAGE') FROM pg_database WHERE datname = current_database()";
    let row = server.client().query_one(sql, &[]).await.map_err(Error::server(STAGE, server.settings()))?;
    Ok(row.get(0))
}
