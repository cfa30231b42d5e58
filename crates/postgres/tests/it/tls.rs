use std::net::Ipv4Addr;
use std::path::PathBuf;

use lethe_postgres::{ConnectionSettings, Error, Purpose, Server};
use lethe_testkit::pg::{PgServer, bin_dir};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const HOST: &str = "db.example";

/// A certificate authority and what it signs.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("params");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority"))
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these names, and its key.
    fn certificate(&self, names: &[&str]) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        let certificate = params.expect("params").signed_by(&key, &self.0).expect("sign");
        (certificate.pem(), key.serialize_pem())
    }
}

/// A server on an address of its own: all of 127.0.0.0/8 is this machine's.
struct Tls {
    server: PgServer,
    address: Ipv4Addr,
    authority: Authority,
    folder: TempDir,
}

impl Tls {
    fn start() -> Self {
        let [_, _, one, two] = std::process::id().to_be_bytes();
        let address = Ipv4Addr::new(127, 77, one, two.max(1));
        let server = PgServer::start_with(bin_dir(), &[&format!("listen_addresses={address}")]);
        let authority = Authority::new();
        let tls = Self { server, address, authority, folder: tempfile::tempdir().expect("a folder") };
        tls.use_certificate(&tls.authority.certificate(&[HOST]));
        tls.server.sql("postgres", "CREATE ROLE app LOGIN PASSWORD 'canary'");
        tls
    }

    fn use_certificate(&self, (certificate, key): &(String, String)) {
        self.server.write_data_file("server.crt", certificate);
        self.server.write_data_file("server.key", key);
        self.set(&["ssl = on"]);
    }

    fn set(&self, settings: &[&str]) {
        for setting in settings {
            self.server.sql("postgres", &format!("ALTER SYSTEM SET {setting}"));
        }
        self.reload();
    }

    fn reload(&self) {
        self.server.run_tool("pg_ctl", &["reload", "-D", &self.server.data_dir().display().to_string()]);
        std::thread::sleep(std::time::Duration::from_millis(300));
    }

    fn root(&self, authority: &Authority) -> PathBuf {
        let path = self.folder.path().join("ca.pem");
        std::fs::write(&path, authority.pem()).expect("write");
        path
    }

    async fn connect(&self, authority: &Authority, more: &str) -> Result<Server, Error> {
        let root = self.root(authority).display().to_string();
        let address = self.address;
        let text = format!(
            "host={HOST} hostaddr={address} user=app dbname=postgres sslmode=verify-full sslrootcert={root} {more}"
        );
        let settings = ConnectionSettings::parse(&text, &|_| None).expect("settings");
        Server::connect(&settings, Purpose::Snapshot).await
    }
}

fn is_tls_error(result: Result<Server, Error>, problem: &str) {
    match result {
        Err(error @ Error::Tls { .. }) => assert!(error.to_string().contains(problem), "{error}"),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it connected"),
    }
}

#[tokio::test]
async fn the_servers_certificate_and_name_are_checked() {
    let tls = Tls::start();
    let server = tls.connect(&tls.authority, "").await.expect("the right authority and name");
    let row =
        server.client().query_one("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()", &[]);
    let row = row.await.expect("query");
    assert!(row.get::<_, bool>(0));
    assert!(["TLSv1.2", "TLSv1.3"].contains(&row.get::<_, &str>(1)));
    drop(server);

    is_tls_error(tls.connect(&Authority::new(), "").await, "invalid peer certificate");
    for (names, problem) in
        [(&["other.example"][..], "not valid for name"), (&["*.db.example"], "not valid for name")]
    {
        tls.use_certificate(&tls.authority.certificate(names));
        is_tls_error(tls.connect(&tls.authority, "").await, problem);
    }
    // Somebody in between has a certificate for the right name, from an authority of their own.
    tls.use_certificate(&Authority::new().certificate(&[HOST]));
    is_tls_error(tls.connect(&tls.authority, "").await, "invalid peer certificate");
    // Weaker modes are not: whoever asks for encryption gets all of it.
    is_tls_error(tls.connect(&tls.authority, "sslmode=require").await, "invalid peer certificate");
    is_tls_error(tls.connect(&tls.authority, "sslmode=verify-ca").await, "invalid peer certificate");
}

#[tokio::test]
async fn old_protocols_and_no_tls_at_all_are_refused() {
    let tls = Tls::start();
    tls.set(&["ssl_min_protocol_version = 'TLSv1'", "ssl_max_protocol_version = 'TLSv1.1'"]);
    is_tls_error(tls.connect(&tls.authority, "").await, "TLS");
    tls.set(&["ssl = off"]);
    is_tls_error(tls.connect(&tls.authority, "").await, "TLS");
    // The server itself would have let everybody in, without a password.
    let plain = format!("host={} user=app dbname=postgres", tls.address);
    let settings = ConnectionSettings::parse(&plain, &|_| None).expect("settings");
    Server::connect(&settings, Purpose::Snapshot).await.expect("loopback needs no TLS");
}

#[tokio::test]
async fn a_password_is_bound_to_the_channel() {
    let tls = Tls::start();
    tls.server.write_data_file("pg_hba.conf", "local all all trust\nhostssl all all all scram-sha-256\n");
    tls.reload();
    let server = tls.connect(&tls.authority, "password=canary channel_binding=require").await;
    drop(server.expect("SCRAM with channel binding"));
    let error = tls.connect(&tls.authority, "password=wrong").await.expect_err("the wrong password");
    assert_eq!(error.code(), Some("28P01"));
    assert!(!format!("{error:?}").contains("wrong"));
    // A password in the clear proves nothing about the channel.
    tls.server.write_data_file("pg_hba.conf", "local all all trust\nhostssl all all all password\n");
    tls.reload();
    assert!(tls.connect(&tls.authority, "password=canary channel_binding=require").await.is_err());
}

/// What a server that speaks no TLS, or breaks off, gets to see of a client that wants it.
#[tokio::test]
async fn nothing_is_sent_in_the_clear_to_a_server_without_tls() {
    for answer in [
        &b"N"[..],
        b"S",
        b"E\0\0\0\x0cSFATAL\0\0",
        b"S\x15\x03\x01\0\x02\x02\x28",
        b"",
        b"NR\0\0\0\x08\0\0\0\0",
    ] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("bind");
        let port = listener.local_addr().expect("an address").port();
        let seen = tokio::spawn(async move {
            let mut seen = Vec::new();
            // As often as the client comes.
            while let Ok(Ok((mut socket, _))) =
                tokio::time::timeout(std::time::Duration::from_secs(1), listener.accept()).await
            {
                let mut request = [0; 8];
                if socket.read_exact(&mut request).await.is_err() {
                    continue;
                }
                seen.extend(request);
                let _ = socket.write_all(answer).await;
                let _ = socket.shutdown().await;
                let _ =
                    tokio::time::timeout(std::time::Duration::from_secs(1), socket.read_to_end(&mut seen))
                        .await;
            }
            seen
        });
        let text = format!(
            "host={HOST} hostaddr=127.0.0.1 port={port} user=canary-user password=canary-password dbname=canary-database sslmode=verify-full"
        );
        let settings = ConnectionSettings::parse(&text, &|_| None).expect("settings");
        let ended = Server::connect(&settings, Purpose::Restore).await;
        assert!(ended.is_err());
        let seen = seen.await.expect("the server's task");
        assert_eq!(seen[..8], [0, 0, 0, 8, 4, 210, 22, 47], "it asks for TLS first");
        assert!(!seen.windows(6).any(|window| window == b"canary"), "{answer:?}: {}", seen.escape_ascii());
    }
}
