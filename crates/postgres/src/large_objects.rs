//! Large objects: their list, their content in pages, and their way back.

use bytes::Bytes;
use lethe_format::manifest::{CopyFormat, LargeObject, LargeObjectGrant};
use lethe_format::sql::{quote_ident, quote_literal};

use crate::copy_in::CopyIn;
use crate::copy_out::CopyOut;
use crate::{Error, Server};

/// Bytes of one page: `lo_get` reads a megabyte at a time, whatever the object's size.
pub const PAGE: i32 = 1 << 20;

pub async fn list(server: &Server) -> Result<Vec<LargeObject>, Error> {
    const QUERY: &str = "
        SELECT m.oid, pg_get_userbyid(m.lomowner)::text, obj_description(m.oid, 'pg_largeobject'),
               ARRAY(SELECT CASE WHEN a.grantee = 0 THEN '' ELSE pg_get_userbyid(a.grantee)::text END
                     FROM aclexplode(m.lomacl) a WHERE a.grantee <> m.lomowner ORDER BY a.grantee, a.privilege_type),
               ARRAY(SELECT a.privilege_type
                     FROM aclexplode(m.lomacl) a WHERE a.grantee <> m.lomowner ORDER BY a.grantee, a.privilege_type),
               ARRAY(SELECT a.is_grantable
                     FROM aclexplode(m.lomacl) a WHERE a.grantee <> m.lomowner ORDER BY a.grantee, a.privilege_type)
        FROM pg_largeobject_metadata m ORDER BY m.oid";
    let failed = Error::server("list the large objects of", server.settings());
    let rows = server.client().query(QUERY, &[]).await.map_err(failed)?;
    Ok(rows
        .iter()
        .map(|row| {
            let (roles, privileges): (Vec<String>, Vec<String>) = (row.get(3), row.get(4));
            let grantable: Vec<bool> = row.get(5);
            let grants = roles.into_iter().zip(privileges).zip(grantable);
            LargeObject {
                oid: row.get(0),
                owner: row.get(1),
                comment: row.get(2),
                grants: grants
                    .map(|((role, privilege), grantable)| LargeObjectGrant { role, privilege, grantable })
                    .collect(),
            }
        })
        .collect())
}

/// Starts copying one page of each of these objects, as binary rows `(oid, offset, data)`.
///
/// An object that ends before the page gives a row with no data, so that the caller sees where it ends.
pub async fn copy_pages(server: &Server, oids: &[u32], offset: i64) -> Result<CopyOut, Error> {
    let list: Vec<String> = oids.iter().map(ToString::to_string).collect();
    let query = format!(
        "SELECT o, {offset}::int8, lo_get(o, {offset}::int8, {PAGE}) FROM unnest('{{{}}}'::oid[]) o",
        list.join(",")
    );
    CopyOut::query(server, &query, CopyFormat::Binary, "large objects").await
}

/// Creates an object with its owner, grants and comment.
pub async fn create(server: &Server, object: &LargeObject, owner: Option<&str>) -> Result<(), Error> {
    let oid = object.oid;
    let mut sql = format!("SELECT pg_catalog.lo_create({oid});");
    if let Some(comment) = &object.comment {
        sql.push_str(&format!("COMMENT ON LARGE OBJECT {oid} IS {};", quote_literal(comment)));
    }
    for grant in &object.grants {
        let role = if grant.role.is_empty() { "PUBLIC".to_owned() } else { quote_ident(&grant.role) };
        let privilege = if grant.privilege == "UPDATE" { "UPDATE" } else { "SELECT" };
        let option = if grant.grantable { " WITH GRANT OPTION" } else { "" };
        sql.push_str(&format!("GRANT {privilege} ON LARGE OBJECT {oid} TO {role}{option};"));
    }
    if let Some(owner) = owner {
        sql.push_str(&format!("ALTER LARGE OBJECT {oid} OWNER TO {};", quote_ident(owner)));
    }
    server.run(&sql, "create", format!("large object {oid}")).await
}

/// Writes pages, binary rows as [`copy_pages`] gives them, into objects that are there.
pub async fn write(server: &Server, pages: Bytes) -> Result<(), Error> {
    const TABLE: &str = "pg_temp.lethe_pages";
    let object = "large objects";
    let create = format!("CREATE TABLE {TABLE} (id oid, start int8, data bytea) ON COMMIT DROP");
    server.run(&create, "prepare", object).await?;
    let mut copy = CopyIn::start(server, TABLE, ["id", "start", "data"], CopyFormat::Binary).await?;
    copy.send(pages).await?;
    copy.finish().await?;
    let put = format!(
        "DO $$ BEGIN PERFORM pg_catalog.lo_put(id, start, data) FROM {TABLE} WHERE data <> ''; END $$"
    );
    server.run(&put, "write", object).await
}
