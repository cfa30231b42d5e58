//! DeleteObjects: one request that needs a permission for each object that it names. Source: DeleteObjects of the Amazon
//! S3 API Reference; what may not be deleted is an error in the answer, not of the answer.

/// An object, or a version of it, that a request wants to be deleted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Doomed {
    pub(super) key: String,
    pub(super) version: Option<String>,
}

impl Doomed {
    pub(super) fn permission(&self) -> &'static str {
        if self.version.is_some() { "s3:DeleteObjectVersion" } else { "s3:DeleteObject" }
    }
}

/// The objects that a request's body names.
pub(super) fn doomed(body: &[u8]) -> Vec<Doomed> {
    let text = String::from_utf8_lossy(body);
    let objects = text.split("<Object>").skip(1);
    let objects = objects.filter_map(|object| {
        Some(Doomed { key: element(object, "Key")?, version: element(object, "VersionId") })
    });
    objects.collect()
}

/// The answer that says of these that they were not deleted.
pub(super) fn refusal(doomed: &[Doomed]) -> String {
    let error = |doomed: &Doomed| {
        let version = doomed.version.as_ref();
        let version = version.map(|id| format!("<VersionId>{id}</VersionId>")).unwrap_or_default();
        let key = escaped(&doomed.key);
        format!(
            "<Error><Key>{key}</Key>{version}<Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        )
    };
    let errors: String = doomed.iter().map(error).collect();
    format!("<DeleteResult>{errors}</DeleteResult>")
}

fn element(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (value, _) = rest.split_once(&format!("</{name}>"))?;
    let plain = value.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    Some(plain.replace("&apos;", "'").replace("&amp;", "&"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
