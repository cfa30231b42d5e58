//! `GET /metrics`, and nothing else.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::failure::Failure;
use crate::output::warn;

/// `9187` on this machine alone, or `address:port`.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse::<u16>() {
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    }
    text.parse().map_err(|_| "write a port, or address:port, such as 127.0.0.1:9187".to_owned())
}

/// Takes the address, so that what cannot be served is said before anything is begun.
///
/// # Errors
/// If somebody else has it.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    if !address.ip().is_loopback() {
        warn(format!(
            "whoever reaches {address} can read how the backups are: ages, counts and names of stages, and no row"
        ));
    }
    let failed = |cause| {
        Failure::usage(format!("{address} cannot be listened on: {cause}"))
            .hint("is another one at work there?")
    };
    TcpListener::bind(address).await.map_err(failed)
}

/// Somebody who connects and says nothing takes one of these places, and not for long.
const AT_ONCE: usize = 16;
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves until it is dropped. `page` gives the text, or why there is none.
pub(crate) async fn serve<F, P>(listener: TcpListener, page: P)
where
    P: Fn() -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<String, String>> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            // Too many files are open, for instance: that passes.
            Err(_) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let page = page.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, page.clone()));
            let mut server = http1::Builder::new();
            server.timer(TokioTimer::new()).header_read_timeout(PATIENCE).keep_alive(false);
            // Whoever hangs up in the middle has what it wanted.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
            drop(place);
        });
    }
}

async fn answer<F, P>(request: Request<Incoming>, page: P) -> Result<Response<Full<Bytes>>, Infallible>
where
    P: Fn() -> F,
    F: Future<Output = Result<String, String>>,
{
    let (status, text) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => match page().await {
            Ok(text) => (StatusCode::OK, text),
            Err(problem) => (StatusCode::SERVICE_UNAVAILABLE, problem),
        },
        (&Method::GET, _) => (StatusCode::NOT_FOUND, "/metrics is all there is\n".to_owned()),
        _ => (StatusCode::METHOD_NOT_ALLOWED, "GET is all there is\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let kind = hyper::header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, kind);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_on_this_machine() {
        for (text, expected) in [
            ("9187", Some("127.0.0.1:9187")),
            ("127.0.0.1:1", Some("127.0.0.1:1")),
            ("[::1]:9187", Some("[::1]:9187")),
            ("0.0.0.0:80", Some("0.0.0.0:80")),
            ("example.org:80", None),
            ("99999", None),
            ("", None),
        ] {
            assert_eq!(address(text).ok().map(|address| address.to_string()).as_deref(), expected, "{text}");
        }
    }
}
