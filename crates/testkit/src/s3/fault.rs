//! What a store does wrong now and then, and to which requests. Decisions only: no I/O.

use std::time::Duration;

/// One thing that goes wrong with a request. Positions are bytes of the answer's body, from 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// `503 SlowDown`; nothing was done.
    SlowDown,
    /// `429 TooManyRequests`; nothing was done.
    TooManyRequests,
    /// `500 InternalError`; nothing was done.
    InternalError,
    /// `400 RequestTimeout`, which is S3's way to say that the request's body came too slowly.
    RequestTimeout,
    /// `409 ConditionalRequestConflict`; nothing was done.
    Conflict,
    /// `400 ExpiredToken`.
    ExpiredCredentials,
    /// `403 RequestTimeTooSkewed`.
    ClockSkew,
    /// `403 AccessDenied`.
    AccessDenied,
    /// `301 PermanentRedirect`: the bucket is in another region.
    WrongRegion,
    /// The connection is reset after this many bytes.
    ResetMidBody { at: u64 },
    /// Nothing comes after this many bytes, and the connection stays open.
    StallMidBody { at: u64 },
    /// The connection is closed in order after this many bytes, though more were announced.
    ShortBody { at: u64 },
    /// The byte at this place is another one; the announced checksum is the true one's.
    WrongBytes { at: u64 },
    /// The request is carried out, and the connection reset instead of an answer.
    LostAnswer,
    /// The request is carried out, and the answer is `500 InternalError`.
    WrongAnswer,
    /// A listing of before anything was written.
    Stale,
    /// The request is carried out after this time.
    Slow(Duration),
}

impl Fault {
    /// Status, code and message of an answer that is given instead of carrying the request out.
    pub(crate) fn refusal(self) -> Option<(u16, &'static str, &'static str)> {
        Some(match self {
            Self::SlowDown => (503, "SlowDown", "Please reduce your request rate."),
            Self::TooManyRequests => (429, "TooManyRequests", "Please reduce your request rate."),
            Self::InternalError => (500, "InternalError", "We encountered an internal error."),
            Self::RequestTimeout => (400, "RequestTimeout", "Your socket connection was idle."),
            Self::Conflict => (409, "ConditionalRequestConflict", "Another request is in progress."),
            Self::ExpiredCredentials => (400, "ExpiredToken", "The provided token has expired."),
            Self::ClockSkew => (403, "RequestTimeTooSkewed", "The clocks differ too much."),
            Self::AccessDenied => (403, "AccessDenied", "Access denied."),
            Self::WrongRegion => (301, "PermanentRedirect", "Use the specified endpoint."),
            _ => return None,
        })
    }
}

/// Which requests something happens to, counted from when it was injected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Requests {
    operation: Option<&'static str>,
    /// These pass first.
    skip: usize,
    count: usize,
}

impl Requests {
    #[must_use]
    pub fn all() -> Self {
        Self::first(usize::MAX)
    }

    #[must_use]
    pub fn first(count: usize) -> Self {
        Self { operation: None, skip: 0, count }
    }

    /// The n-th alone, counted from 1.
    #[must_use]
    pub fn nth(number: usize) -> Self {
        Self { operation: None, skip: number.saturating_sub(1), count: 1 }
    }

    /// All but the first ones.
    #[must_use]
    pub fn after(count: usize) -> Self {
        Self { skip: count, ..Self::all() }
    }

    /// Only requests of this operation are counted and hit; its name is the API's: `GetObject`.
    #[must_use]
    pub fn of(self, operation: &'static str) -> Self {
        Self { operation: Some(operation), ..self }
    }
}

/// The injected faults, and how many requests each has seen.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<(Fault, Requests, usize)>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault, requests: Requests) {
        self.0.push((fault, requests, 0));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// What happens to the next request: the first fault that is due, while all of them count it.
    pub(crate) fn next(&mut self, operation: &str) -> Option<Fault> {
        let mut due = None;
        for (fault, requests, seen) in &mut self.0 {
            if requests.operation.is_some_and(|wanted| wanted != operation) {
                continue;
            }
            let number = *seen;
            *seen += 1;
            if number >= requests.skip && number - requests.skip < requests.count {
                due = due.or(Some(*fault));
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_hit_the_requests_they_are_limited_to() {
        let mut faults = Faults::default();
        faults.add(Fault::SlowDown, Requests::first(2));
        faults.add(Fault::InternalError, Requests::nth(2).of("PutObject"));
        let seen: Vec<_> = ["GetObject", "PutObject", "PutObject", "GetObject"]
            .iter()
            .map(|operation| faults.next(operation))
            .collect();
        let slow = Some(Fault::SlowDown);
        assert_eq!(seen, [slow, slow, Some(Fault::InternalError), None]);
    }
}
