//! Spans by stage, for an OpenTelemetry collector ("OpenTelemetry Protocol Exporter" of its specification): OTLP as JSON over HTTP.
//!
//! A span has the name of a command or a stage and nothing else: no event, no error's text, no name of a table. What cannot be sent is
//! dropped: no command fails, or waits for long, because of it.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::runtime::Handle;

/// How long one request may take, and the last ones at the end of a command.
const PATIENCE: Duration = Duration::from_secs(3);
const LARGEST_ANSWER: usize = 1 << 16;

#[derive(Debug)]
pub(crate) struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// None if no collector is named: `typed` is `--otlp`, else the specification's variables count.
    ///
    /// # Errors
    /// A sentence about what is wrong with the address.
    pub(crate) fn begin(typed: Option<&str>, runtime: &Handle) -> Result<Option<Self>, String> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let below = |base: &str| format!("{}/v1/traces", base.trim_end_matches('/'));
        let endpoint = typed
            .map(below)
            .or_else(|| variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))
            .or_else(|| variable("OTEL_EXPORTER_OTLP_ENDPOINT").map(|base| below(&base)));
        let is_off = variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let Some(endpoint) = endpoint.filter(|_| !is_off) else { return Ok(None) };
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .map_err(|cause| format!("certificates cannot be read: {cause}"))?
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(OnRuntime { client, runtime: runtime.clone() })
            .with_protocol(Protocol::HttpJson)
            .with_endpoint(endpoint)
            .with_timeout(PATIENCE)
            .build()
            .map_err(|cause| cause.to_string())?;
        let name = variable("OTEL_SERVICE_NAME").unwrap_or_else(|| "lethe".to_owned());
        let provider = SdkTracerProvider::builder()
            .with_resource(Resource::builder_empty().with_service_name(name).build())
            .with_batch_exporter(exporter)
            .build();
        Ok(Some(Self { provider }))
    }

    pub(crate) fn tracer(&self) -> SdkTracer {
        self.provider.tracer("lethe")
    }

    /// Sends what is left. Not to be called from within the runtime.
    pub(crate) fn end(self) {
        // It failed, or took too long: nobody is to be kept from anything by that.
        let _ = self.provider.shutdown_with_timeout(PATIENCE);
    }
}

/// Whether a span is one of ours and so has nothing in it but a name. Events are left out altogether.
pub(crate) fn is_ours(metadata: &tracing::Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target().starts_with("lethe")
}

/// The exporter works on a thread of its own, and sockets need the runtime.
#[derive(Debug)]
struct OnRuntime {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    runtime: Handle,
}

#[async_trait::async_trait]
impl HttpClient for OnRuntime {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let send = async move {
            let (parts, body) = request.into_parts();
            let answer = client.request(Request::from_parts(parts, Full::new(body))).await?;
            let (parts, body) = answer.into_parts();
            let body = Limited::new(body, LARGEST_ANSWER).collect().await?.to_bytes();
            Ok::<_, HttpError>(Response::from_parts(parts, body))
        };
        // The timer is the runtime's as well, so it is made there.
        self.runtime.spawn(async move { tokio::time::timeout(PATIENCE, send).await }).await??
    }
}
