use core::net::IpAddr;

use super::{PLACES, Place, Profile, Refusal};

/// Where requests go, after every source of settings has been asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    pub scheme: String,
    /// With or without the bucket's name in front.
    pub host: String,
    pub port: Option<u16>,
    pub bucket: String,
}

/// What an address is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Endpoint {
    At(&'static Place),
    /// This machine's loopback: nobody can say what stands behind it. For tests, and for trying Lethe out.
    Local,
}

/// Names of buckets that are none, but ways to buckets that may be anywhere. Source: "Bucket naming rules" of the Amazon S3
/// User Guide, which reserves these endings.
const ALIASES: [(&str, &str); 4] = [
    ("-s3alias", "an access point's alias"),
    ("--ol-s3", "an Object Lambda access point's alias"),
    (".mrap", "a multi-region access point's alias"),
    ("--x-s3", "a directory bucket"),
];

/// Decides by the address alone, so before anything is sent there.
///
/// # Errors
/// [`Refusal`] for everything but `https` to exactly the host of an allowed place, and this machine.
pub fn judge_endpoint(profile: Profile, address: &Address) -> Result<Endpoint, Refusal> {
    let Address { scheme, host, port, bucket } = address;
    if let Some((_, what)) = ALIASES.iter().find(|(ending, _)| bucket.ends_with(ending)) {
        return Err(Refusal::new(
            format!("{bucket} is {what}, and does not say where its objects are"),
            "name the bucket itself; nothing was sent",
        ));
    }
    let without_bucket = host.strip_prefix(&format!("{bucket}.")).unwrap_or(host);
    if is_loopback(host) || is_loopback(without_bucket) {
        return Ok(Endpoint::Local);
    }
    if scheme != "https" || port.is_some_and(|port| port != 443) {
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let problem = format!("data goes to https on its usual port alone, not to {scheme}://{host}{port}");
        return Err(Refusal::new(problem, profile.hint()));
    }
    let hint = || {
        format!(
            "{}; endpoints are taken from [s3] in lethe.toml, LETHE_S3_ENDPOINT, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL and the AWS profile",
            profile.hint()
        )
    };
    match PLACES.iter().find(|place| place.host == host || place.host == without_bucket) {
        Some(place) => profile
            .admit(place.code)
            .map(Endpoint::At)
            .map_err(|refusal| Refusal::new(format!("the endpoint {}: {refusal}", place.host), hint())),
        None => Err(Refusal::new(format!("the endpoint {host} is {}", what_else(host)), hint())),
    }
}

fn what_else(host: &str) -> &'static str {
    let amazon = host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.eu");
    match host {
        _ if host.contains("accelerate") => "an accelerated one, whose data enters AWS anywhere in the world",
        _ if host.contains("accesspoint") => "an access point's, which does not say where its objects are",
        "s3.amazonaws.com" | "s3-external-1.amazonaws.com" => "the global one, which is in the United States",
        _ if host.contains("dualstack") => "a dual-stack one; only the plain endpoints of places are allowed",
        _ if amazon => "no plain S3 endpoint of a place in the European Union",
        _ => "that of no place on the list",
    }
}

/// By name alone: nobody is asked what an address means.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(profile: Profile, url: &str) -> Result<Endpoint, Refusal> {
        let (scheme, authority) = url.split_once("://").expect("a scheme");
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().expect("a port"))),
            _ => (authority, None),
        };
        let address =
            Address { scheme: scheme.to_owned(), host: host.to_owned(), port, bucket: "backups".to_owned() };
        judge_endpoint(profile, &address)
    }

    #[test]
    fn only_the_exact_host_over_https_is_a_place() {
        let frankfurt = super::super::place("eu-central-1").expect("on the list");
        for right in [
            "https://s3.eu-central-1.amazonaws.com",
            "https://backups.s3.eu-central-1.amazonaws.com",
            "https://s3.eu-central-1.amazonaws.com:443",
        ] {
            assert_eq!(judge(Profile::De, right), Ok(Endpoint::At(frankfurt)), "{right}");
        }
        for wrong in [
            "http://s3.eu-central-1.amazonaws.com",
            "https://s3.eu-central-1.amazonaws.com:8443",
            "https://s3.eu-central-1.amazonaws.com.",
            "https://S3.EU-CENTRAL-1.AMAZONAWS.COM",
            "https://s3.eu-central-1.amazonaws.com.example.org",
            "https://x.s3.eu-central-1.amazonaws.com",
            "https://evil-s3.eu-central-1.amazonaws.com",
            "https://s3-eu-central-1.amazonaws.com",
            "https://s3.eu-central-1.amazonaws.com.cn",
            "https://s3-fips.eu-central-1.amazonaws.com",
            "https://s3.dualstack.eu-central-1.amazonaws.com",
            "https://backups.s3-accelerate.amazonaws.com",
            "https://backups.s3-accelerate.dualstack.amazonaws.com",
            "https://backups-123456789012.s3-accesspoint.eu-central-1.amazonaws.com",
            "https://mfzwi23gnjvgw.mrap.accesspoint.s3-global.amazonaws.com",
            "https://s3express-euc1-az1.eu-central-1.amazonaws.com",
            "https://s3.amazonaws.com",
            "https://backups.s3.amazonaws.com",
            "https://s3.us-east-1.amazonaws.com",
            "https://your-objectstorage.com",
            "https://fsn2.your-objectstorage.com",
            "https://fsn1.your-objectstorage.com.example.org",
            "https://storage.example",
            "https://10.0.0.1",
            "https://127.0.0.1.example.org",
            "http://storage.example",
        ] {
            for profile in [Profile::De, Profile::Eu] {
                assert!(judge(profile, wrong).is_err(), "{wrong} by {profile}");
            }
        }
        let refusal = judge(Profile::De, "https://backups.s3-accelerate.amazonaws.com").expect_err("refused");
        assert!(
            refusal.problem.contains("anywhere in the world") && refusal.hint.contains("AWS_ENDPOINT_URL")
        );
    }

    #[test]
    fn loopback_is_this_machine_and_nothing_else_is() {
        for local in
            ["http://127.0.0.1:9000", "http://localhost:9000", "http://[::1]:9000", "https://127.0.0.2"]
        {
            assert_eq!(judge(Profile::De, local), Ok(Endpoint::Local), "{local}");
        }
        for wrong in ["http://localhost.example:9000", "http://192.168.0.1:9000", "http://[fe80::1]:9000"] {
            assert!(judge(Profile::Eu, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn aliases_are_no_buckets() {
        for alias in
            ["metadata-o1a2b3-s3alias", "my-olap--ol-s3", "mfzwi23gnjvgw.mrap", "logs--euc1-az1--x-s3"]
        {
            let address = Address {
                scheme: "https".to_owned(),
                host: "s3.eu-central-1.amazonaws.com".to_owned(),
                port: None,
                bucket: alias.to_owned(),
            };
            assert!(judge_endpoint(Profile::Eu, &address).is_err(), "{alias}");
        }
    }
}
