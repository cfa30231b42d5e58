//! TLS with the server's certificate and host name checked, always (libpq's `verify-full`).

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{ConnectionSettings, Error};

pub(crate) fn connector(settings: &ConnectionSettings) -> Result<MakeRustlsConnect, Error> {
    let failed = |problem: String| Error::Tls { server: settings.to_string(), problem };
    let mut roots = RootCertStore::empty();
    match settings.root_certificate() {
        Some(path) => {
            let certificates = CertificateDer::pem_file_iter(path)
                .map_err(|error| failed(format!("{} cannot be read: {error}", path.display())))?;
            for certificate in certificates {
                let certificate =
                    certificate.map_err(|error| failed(format!("{}: {error}", path.display())))?;
                roots.add(certificate).map_err(|error| failed(format!("{}: {error}", path.display())))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(failed("there is no certificate authority to trust".to_owned()));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
