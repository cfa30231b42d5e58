//! Which host the SDK sends requests to, asked of the SDK itself: only it knows what flags, environment, profiles and its
//! own rules add up to. From then on no request goes anywhere else.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Credentials, Intercept, RuntimeComponents};

use super::settings::check_endpoint;
use crate::{Address, Error, Operation};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Scheme, host and port of a URL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Origin {
    pub(crate) scheme: String,
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
}

impl Origin {
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        // Whatever stands before an @ is no host, though it may look like one.
        if authority.contains('@') {
            return None;
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().ok()?)),
            _ => (authority, None),
        };
        Some(Self { scheme: scheme.to_owned(), host: host.to_owned(), port })
    }

    /// The same with any bucket's name in front, or none.
    fn covers(&self, other: &Self) -> bool {
        let same_host = other.host == self.host
            || other.host.strip_suffix(&self.host).is_some_and(|bucket| bucket.ends_with('.'));
        self.scheme == other.scheme && self.port == other.port && same_host
    }
}

/// The origin of a request for a bucket, which is named in the path, or else in front of the host.
fn without_bucket(url: &str, bucket: &str) -> Option<Origin> {
    let mut origin = Origin::parse(url)?;
    let path = url.split_once("://")?.1.split_once('/').map_or("", |(_, path)| path);
    let named_in_path = path.split(['/', '?']).next() == Some(bucket);
    if !named_in_path && let Some(host) = origin.host.strip_prefix(&format!("{bucket}.")) {
        origin.host = host.to_owned();
    }
    Some(origin)
}

/// Lets requests pass to one origin alone, once it is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pin(Arc<OnceLock<Origin>>);

impl Pin {
    pub(crate) fn set(&self, origin: Origin) {
        let _ = self.0.set(origin);
    }
}

impl Intercept for Pin {
    fn name(&self) -> &'static str {
        "Pin"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let origin = Origin::parse(context.request().uri());
        match (self.0.get(), origin) {
            (Some(pinned), Some(origin)) if pinned.covers(&origin) => Ok(()),
            _ => Err("the request would have gone to another host than the one that was checked".into()),
        }
    }
}

/// Notes where a request would go, and stops it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Question(Arc<Mutex<Option<String>>>);

impl Question {
    /// The URL that the request was for, once it has been stopped.
    pub(crate) fn answer(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Intercept for Question {
    fn name(&self) -> &'static str {
        "Question"
    }

    fn read_before_signing(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.request().uri().to_owned());
        Err("only a question".into())
    }
}

/// Where the client sends requests for a bucket; sends none. From now on the pin lets them pass there alone.
///
/// # Errors
/// [`Error::InvalidUrl`] if data would go over a network in the clear; if no region or no endpoint is known.
pub(super) async fn resolve(client: &Client, pin: &Pin, url: &str, bucket: &str) -> Result<Address, Error> {
    let question = Question::default();
    // Credentials are not needed to know the endpoint, and may take a request to get.
    let nobody = Credentials::new("nobody", "nothing", None, None, "question");
    let asked = client
        .head_bucket()
        .bucket(bucket)
        .customize()
        .config_override(aws_sdk_s3::config::Builder::new().credentials_provider(nobody))
        .interceptor(question.clone())
        .send()
        .await;
    let Some(origin) = question.answer().as_deref().and_then(|target| without_bucket(target, bucket)) else {
        let cause = match asked {
            Err(error) => super::failure::describe(error),
            Ok(_) => "the SDK names no host".into(),
        };
        return Err(Error::failed(url, Operation::Connect, bucket, cause));
    };
    let port = origin.port.map(|port| format!(":{port}")).unwrap_or_default();
    check_endpoint(&format!("{}://{}{port}", origin.scheme, origin.host))?;
    let Origin { scheme, host, port } = origin.clone();
    pin.set(origin);
    Ok(Address::S3 { scheme, host, port, bucket: bucket.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_is_no_part_of_the_host() {
        let host = |url| without_bucket(url, "fsn1").map(|origin| (origin.host, origin.port));
        let hetzner = Some(("fsn1.your-objectstorage.com".to_owned(), None));
        assert_eq!(host("https://fsn1.fsn1.your-objectstorage.com/"), hetzner);
        assert_eq!(host("https://fsn1.your-objectstorage.com/fsn1"), hetzner);
        assert_eq!(host("http://[::1]:9000/fsn1?x"), Some(("[::1]".to_owned(), Some(9000))));
        assert_eq!(host("https://s3.eu-central-1.amazonaws.com@example.org/fsn1"), None);
    }

    #[test]
    fn a_pin_covers_its_host_with_a_bucket_in_front_and_nothing_else() {
        let origin = |url| Origin::parse(url).expect("a URL");
        let pinned = origin("https://s3.eu-central-1.amazonaws.com");
        for (url, covered) in [
            ("https://s3.eu-central-1.amazonaws.com/backups/x", true),
            ("https://backups.s3.eu-central-1.amazonaws.com/x", true),
            ("https://s3.us-east-1.amazonaws.com/backups/x", false),
            ("https://evils3.eu-central-1.amazonaws.com/", false),
            ("http://s3.eu-central-1.amazonaws.com/", false),
            ("https://s3.eu-central-1.amazonaws.com:444/", false),
        ] {
            assert_eq!(pinned.covers(&origin(url)), covered, "{url}");
        }
    }
}
