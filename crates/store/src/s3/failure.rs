//! What a failed request means: S3's codes first, which are the same on all servers, then the HTTP status.

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::{Error, Operation};

/// What can be done about a failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Meaning {
    /// Send less.
    Throttled,
    /// Send it again.
    Transient,
    /// Send it again with new credentials.
    Expired,
    NoCredentials,
    ClockSkew,
    WrongRegion,
    Denied,
    Conflict,
    Permanent,
}

/// `status` is none if no answer came.
pub(crate) fn meaning(status: Option<u16>, code: Option<&str>) -> Meaning {
    match (code, status) {
        (
            Some(
                "SlowDown"
                | "SlowDownRead"
                | "SlowDownWrite"
                | "ServiceUnavailable"
                | "Throttling"
                | "ThrottlingException"
                | "RequestLimitExceeded"
                | "TooManyRequests"
                | "TooManyRequestsException"
                | "RequestThrottled"
                | "BandwidthLimitExceeded",
            ),
            _,
        )
        | (_, Some(429 | 503)) => Meaning::Throttled,
        (Some("ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired"), _) => Meaning::Expired,
        (Some("RequestTimeTooSkewed" | "RequestExpired"), _) => Meaning::ClockSkew,
        (
            Some(
                "PermanentRedirect"
                | "TemporaryRedirect"
                | "AuthorizationHeaderMalformed"
                | "IllegalLocationConstraintException",
            ),
            _,
        )
        | (_, Some(300..=399)) => Meaning::WrongRegion,
        (_, Some(501 | 505)) => Meaning::Permanent,
        (Some("RequestTimeout" | "RequestTimeoutException" | "InternalError"), _)
        | (_, None | Some(408 | 500..=599)) => Meaning::Transient,
        // KMS answers so with status 400.
        (Some("AccessDeniedException"), _) => Meaning::Denied,
        (Some("OperationAborted" | "ConditionalRequestConflict"), _) => Meaning::Conflict,
        (_, Some(401 | 403)) => Meaning::Denied,
        _ => Meaning::Permanent,
    }
}

pub(crate) fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// What the SDK's failure means.
pub(crate) fn meaning_of<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Meaning {
    match error {
        SdkError::ConstructionFailure(_) => Meaning::Permanent,
        SdkError::DispatchFailure(failure)
            if failure.as_connector_error().is_some_and(|error| lacks_credentials(error)) =>
        {
            Meaning::NoCredentials
        }
        // An answer that broke off or is no S3: its status does not say how it would have ended.
        SdkError::ResponseError(_) if status(error).is_none_or(|status| status < 300) => Meaning::Transient,
        _ => meaning(status(error), error.code()),
    }
}

/// Whether nobody has any to give. A provider that did not answer, or failed, may do so later.
fn lacks_credentials(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let reason = error.downcast_ref::<CredentialsError>();
        if let Some(CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_)) =
            reason
        {
            return true;
        }
        next = error.source();
    }
    false
}

pub(crate) fn error<E>(store: String, operation: Operation, name: String, error: SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let meaning = meaning_of(&error);
    let connecting = meaning != Meaning::NoCredentials
        && matches!(error, SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_));
    let operation = if connecting { Operation::Connect } else { operation };
    let cause = describe(error);
    match meaning {
        Meaning::Throttled => Error::Throttled { store, operation, name, cause },
        Meaning::Expired => Error::ExpiredCredentials { store, operation, name, cause },
        Meaning::NoCredentials => Error::NoCredentials { store, operation, name, cause },
        Meaning::ClockSkew => Error::ClockSkew { store, operation, name, cause },
        Meaning::WrongRegion => Error::WrongRegion { store, operation, name, cause },
        Meaning::Denied => Error::Denied { store, operation, name, cause },
        Meaning::Transient | Meaning::Conflict => {
            Error::Failed { store, operation, name, retryable: true, cause }
        }
        Meaning::Permanent => Error::Failed { store, operation, name, retryable: false, cause },
    }
}

/// The service's code and message, or the chain of causes; never the request.
pub(crate) fn describe<E>(error: SdkError<E>) -> Box<dyn std::error::Error + Send + Sync>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let status = status(&error);
    match (error.code(), error.message(), status) {
        (Some(code), message, _) => format!("{code}: {}", message.unwrap_or("no message")).into(),
        (None, _, Some(status)) => format!("HTTP status {status}").into(),
        (None, _, None) => match error.into_source() {
            Ok(source) => source,
            Err(error) => error.to_string().into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_counts_more_than_the_status() {
        for (status, code, expected) in [
            (Some(503), Some("SlowDown"), Meaning::Throttled),
            (Some(503), None, Meaning::Throttled),
            (Some(429), None, Meaning::Throttled),
            (Some(500), Some("InternalError"), Meaning::Transient),
            (Some(502), None, Meaning::Transient),
            (None, None, Meaning::Transient),
            (Some(400), Some("RequestTimeout"), Meaning::Transient),
            (Some(400), Some("ExpiredToken"), Meaning::Expired),
            (Some(403), Some("ExpiredTokenException"), Meaning::Expired),
            (Some(403), Some("RequestTimeTooSkewed"), Meaning::ClockSkew),
            (Some(403), Some("AccessDenied"), Meaning::Denied),
            (Some(403), None, Meaning::Denied),
            (Some(400), Some("AccessDeniedException"), Meaning::Denied),
            (Some(301), Some("PermanentRedirect"), Meaning::WrongRegion),
            (Some(400), Some("AuthorizationHeaderMalformed"), Meaning::WrongRegion),
            (Some(409), Some("OperationAborted"), Meaning::Conflict),
            (Some(400), Some("InvalidRequest"), Meaning::Permanent),
            (Some(404), Some("NoSuchBucket"), Meaning::Permanent),
            (Some(501), Some("NotImplemented"), Meaning::Permanent),
        ] {
            assert_eq!(meaning(status, code), expected, "{status:?} {code:?}");
        }
    }
}
