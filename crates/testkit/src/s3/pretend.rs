//! Real host names without the real hosts: requests for `https://s3.eu-central-1.amazonaws.com` arrive here.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

/// An HTTP client that sends every request to one address, with the `Host` that it was for.
#[derive(Clone, Debug)]
pub struct Pretend {
    address: SocketAddr,
    inner: SharedHttpClient,
    hosts: Arc<Mutex<BTreeSet<String>>>,
}

impl Pretend {
    pub(super) fn new(address: SocketAddr) -> Self {
        let inner = aws_smithy_http_client::Builder::new().build_http();
        Self { address, inner, hosts: Arc::default() }
    }

    #[must_use]
    pub fn client(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    /// `scheme://host` of every request so far.
    #[must_use]
    pub fn hosts(&self) -> Vec<String> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl HttpClient for Pretend {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Redirected { pretend: self.clone(), inner })
    }
}

#[derive(Debug)]
struct Redirected {
    pretend: Pretend,
    inner: SharedHttpConnector,
}

impl HttpConnector for Redirected {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let url = request.uri().to_owned();
        let (scheme, rest) = url.split_once("://").unwrap_or(("", &url));
        let end = rest.find('/').unwrap_or(rest.len());
        let (host, path) = rest.split_at(end);
        let mut hosts = self.pretend.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.insert(format!("{scheme}://{host}"));
        drop(hosts);
        request.headers_mut().insert("host", host.to_owned());
        if let Err(error) = request.set_uri(format!("http://{}{path}", self.pretend.address)) {
            return HttpConnectorFuture::ready(Err(ConnectorError::other(error.into(), None)));
        }
        self.inner.call(request)
    }
}
