//! What Hetzner's Object Storage refuses. Source: "Supported actions" of its documentation, and what clients report of
//! the checksums that newer SDKs add by themselves.

use hyper::{Method, Request};

/// Status and code of the refusal, if a request asks for something that is not supported.
pub(super) fn refusal<B>(request: &Request<B>) -> Option<(u16, &'static str)> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let has = |beginning: &str| request.headers().keys().any(|name| name.as_str().starts_with(beginning));
    let query = request.uri().query().unwrap_or("");
    let asks = |name: &str| query.split('&').any(|part| part.split('=').next() == Some(name));
    let writes = matches!(*request.method(), Method::PUT | Method::POST);
    if header("x-amz-server-side-encryption").starts_with("aws:kms") {
        return Some((400, "InvalidArgument"));
    }
    if ["replication", "encryption", "tagging", "attributes", "session"].into_iter().any(asks)
        || has("x-amz-tagging")
        || has("x-amz-copy-source")
    {
        return Some((501, "NotImplemented"));
    }
    let trailing = header("x-amz-content-sha256").ends_with("-TRAILER")
        || header("content-encoding").contains("aws-chunked")
        || has("x-amz-trailer");
    let checksummed = has("x-amz-checksum-") && !has("x-amz-checksum-mode") || has("x-amz-sdk-checksum");
    (writes && (trailing || checksummed)).then_some((400, "XAmzContentSHA256Mismatch"))
}
