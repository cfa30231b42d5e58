use crate::{Error, Server};

/// What a server and its current database are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerInfo {
    /// `server_version_num`: 150018 for 15.18.
    pub version: u32,
    pub database: String,
    pub encoding: String,
    pub collate: String,
    pub ctype: String,
    /// `c`, `i` or `b`; `c` before PostgreSQL 15.
    pub locale_provider: String,
    pub collation_version: Option<String>,
    pub user: String,
    pub superuser: bool,
    pub in_recovery: bool,
    /// Bytes.
    pub database_size: i64,
}

impl ServerInfo {
    pub async fn read(server: &Server) -> Result<Self, Error> {
        // Columns that older versions lack are read through JSON.
        const QUERY: &str = "
            SELECT current_setting('server_version_num')::int, d.datname::text, pg_encoding_to_char(d.encoding)::text,
                   d.datcollate::text, d.datctype::text, coalesce(to_jsonb(d) ->> 'datlocprovider', 'c'),
                   to_jsonb(d) ->> 'datcollversion', current_user::text,
                   (SELECT rolsuper FROM pg_roles WHERE rolname = current_user), pg_is_in_recovery(),
                   pg_database_size(d.oid)
            FROM pg_database d WHERE d.datname = current_database()";
        let failed = Error::server("read the settings of", server.settings());
        let row = server.client().query_one(QUERY, &[]).await.map_err(failed)?;
        Ok(Self {
            version: row.get::<_, i32>(0).unsigned_abs(),
            database: row.get(1),
            encoding: row.get(2),
            collate: row.get(3),
            ctype: row.get(4),
            locale_provider: row.get(5),
            collation_version: row.get(6),
            user: row.get(7),
            superuser: row.get(8),
            in_recovery: row.get(9),
            database_size: row.get(10),
        })
    }

    /// 15 for 15.18.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.version / 10_000
    }
}
