//! Where data may be, asked of the stores and servers that are really there. What is decided lies in
//! [`lethe_rules::residency`] and [`lethe_rules::store_fitness`]; this brings the facts.

use std::sync::Arc;
use std::time::Duration;

use lethe_postgres::ConnectionSettings;
use lethe_rules::bucket_policy::{self, LedgerPlace};
use lethe_rules::lifecycle::{self, Contents};
use lethe_rules::residency::{
    self, Destination, Endpoint, EventTargets, Evidence, Label, Place, Profile, Provider, Refusal, StoreKey,
    TargetPlace, Told, WayOut, WaysOut, judge_endpoint, judge_store_key, judge_ways_out,
};
use lethe_rules::store_fitness::{self, Keeping, Use, judge_keeping};
use lethe_store::{
    AbsentStore, Address, BucketFacts, DirectoryStore, Guard, GuardedStore, ObjectStore, RetryPolicy,
    S3Settings, StoreEncryption, StoreUrl, open_with,
};

use crate::Error;

/// What the settings say about where data may be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Residency {
    pub profile: Profile,
    /// How long a look at a store is good for.
    pub recheck: Duration,
    /// Servers.
    pub labels: Vec<Label>,
    /// Whom a bucket's policy may let in: account numbers, and projects at Hetzner.
    pub accounts: Vec<String>,
}

impl Default for Residency {
    fn default() -> Self {
        Self {
            profile: Profile::default(),
            recheck: Duration::from_secs(15 * 60),
            labels: Vec::new(),
            accounts: Vec::new(),
        }
    }
}

impl Residency {
    /// Opens the store at a URL if it may be used, and looks at it again from time to time. Before it is decided, no
    /// object is asked for. Also returns warnings.
    ///
    /// # Errors
    /// [`lethe_store::Error::Residency`] or [`lethe_store::Error::Unfit`], or the store's own errors.
    pub async fn open_store(
        &self,
        url: &str,
        s3: &S3Settings,
        policy: RetryPolicy,
        purpose: Use,
    ) -> Result<(Arc<dyn ObjectStore>, Vec<String>), Error> {
        let store = open_with(url, s3, policy).await?;
        self.guard_with(store, purpose, s3.encryption.clone()).await
    }

    /// The same for a store that work may go on without: it is looked at by its first request, which fails if it may not be used
    /// or does not answer.
    ///
    /// # Errors
    /// [`lethe_store::Error::Residency`] if its address alone tells that it may not be used.
    pub async fn open_second_store(
        &self,
        url: &str,
        s3: &S3Settings,
        policy: RetryPolicy,
        purpose: Use,
    ) -> Result<Arc<dyn ObjectStore>, Error> {
        let store: Arc<dyn ObjectStore> = match StoreUrl::parse(url)? {
            StoreUrl::S3 { .. } => open_with(url, s3, policy).await?,
            // A disk that is not mounted is like a store that does not answer.
            StoreUrl::Directory(path) => match DirectoryStore::open(&path) {
                Ok(store) => Arc::new(store),
                Err(error) => {
                    let reason = crate::error::with_causes(&error.into());
                    Arc::new(AbsentStore::new(url, Address::Directory(path), reason))
                }
            },
        };
        let guard = Rules { profile: self.profile, purpose, encryption: s3.encryption.clone() };
        Ok(Arc::new(GuardedStore::unseen(store, Arc::new(guard), self.recheck)?))
    }

    /// The same for a store that is open already.
    ///
    /// # Errors
    /// As [`Self::open_store`].
    pub async fn guard(
        &self,
        store: Arc<dyn ObjectStore>,
        purpose: Use,
    ) -> Result<(Arc<dyn ObjectStore>, Vec<String>), Error> {
        self.guard_with(store, purpose, StoreEncryption::ByBucket).await
    }

    async fn guard_with(
        &self,
        store: Arc<dyn ObjectStore>,
        purpose: Use,
        encryption: StoreEncryption,
    ) -> Result<(Arc<dyn ObjectStore>, Vec<String>), Error> {
        let guard = Rules { profile: self.profile, purpose, encryption };
        let (store, warnings) = GuardedStore::open(store, Arc::new(guard), self.recheck).await?;
        Ok((Arc::new(store), warnings))
    }

    /// Where a store is, what its policy leaves open and what leaves it; for whoever wants to know more than whether it may
    /// be used.
    ///
    /// # Errors
    /// As [`Self::open_store`].
    pub async fn examine(
        &self,
        store: &dyn ObjectStore,
        purpose: Use,
        encryption: StoreEncryption,
    ) -> Result<Examined, Error> {
        let (url, address) = (store.url(), store.address());
        let by_kms = matches!(encryption, StoreEncryption::Kms { .. });
        let rules = Rules { profile: self.profile, purpose, encryption };
        let endpoint = rules.endpoint(&address).map_err(|refusal| forbidden(&url, refusal))?;
        let facts = store.bucket_facts().await?;
        let (Some(endpoint), Some(facts)) = (endpoint, facts) else { return Ok(Examined::default()) };
        let verdict = residency::judge(self.profile, endpoint, &evidence(&facts));
        let place = verdict.map_err(|refusal| forbidden(&url, refusal))?.place;
        let mut examined = Examined { place, ..Examined::default() };
        let is_amazon = place.is_some_and(|place| place.provider == Provider::Amazon);
        let StoreUrl::S3 { bucket, prefix } = StoreUrl::parse(&url)? else { return Ok(examined) };
        let unread = |what: &str, code: &Option<String>, permission: &str| {
            let code = code.as_deref().unwrap_or("no reason was given");
            format!("{what} could not be read ({code}): allow {permission}")
        };
        match &facts.policy {
            lethe_store::Told::Yes(policy) => {
                if is_amazon
                    && by_kms
                    && purpose == Use::Data
                    && bucket_policy::lets_in_what_kms_has_not_encrypted(policy.as_deref(), &bucket, &prefix)
                {
                    examined.findings.push(
                        "the bucket's policy does not deny writing what KMS has not encrypted".to_owned(),
                    );
                }
                if is_amazon && purpose == Use::Ledger {
                    let ledger = LedgerPlace { bucket: &bucket, prefix: &prefix };
                    let gaps = bucket_policy::gaps(policy.as_deref(), ledger);
                    if !gaps.is_empty() {
                        examined.recommended_policy = Some(ledger.recommended());
                    }
                    examined.findings.extend(gaps);
                }
            }
            // Whom it lets in is then a way out that is not known.
            lethe_store::Told::No { .. } => {}
        }
        match &facts.public_access_blocked {
            lethe_store::Told::Yes(true) => {}
            lethe_store::Told::Yes(false) if is_amazon => {
                examined
                    .findings
                    .push("the public access block is not on in all of its four parts".to_owned());
            }
            lethe_store::Told::No { code, .. } if is_amazon => examined.findings.push(unread(
                "whether public access is blocked",
                code,
                "s3:GetBucketPublicAccessBlock",
            )),
            _ => {}
        }
        match &facts.lifecycle {
            // Dangers are warnings of every start.
            lethe_store::Told::Yes(rules) if place.is_some() => {
                let prefix = with_slash(prefix);
                let data = purpose == Use::Data;
                let contents = Contents { data, ..contents(&prefix, purpose, &facts) };
                examined.findings.extend(lifecycle::missing(&lifecycle_rules(rules), contents, is_amazon));
            }
            lethe_store::Told::No { code, .. } if place.is_some() => examined.findings.push(unread(
                "what the bucket's lifecycle rules delete",
                code,
                "s3:GetLifecycleConfiguration",
            )),
            _ => {}
        }
        for finding in &mut examined.findings {
            *finding = format!("{url}: {finding}");
        }
        if let Some(told) = store.ways_out().await? {
            let found = judge_ways_out(self.profile, endpoint, &self.accounts, &ways_out(&facts, &told));
            examined.ways_out = found.into_iter().map(|way| way.of(&url)).collect();
        }
        Ok(examined)
    }

    /// Whether a restore may write to a server; nothing is sent to it.
    ///
    /// # Errors
    /// [`Error::Residency`].
    pub fn check_target(&self, target: &ConnectionSettings) -> Result<TargetPlace, Error> {
        residency::judge_target(self.profile, &self.labels, &target.host(), target.is_local())
            .map_err(|Refusal { problem, hint }| Error::Residency { problem, hint })
    }

    /// What speaks against the label of a server that is only read.
    #[must_use]
    pub fn doubt_source(&self, source: &ConnectionSettings) -> Option<String> {
        residency::target::doubt_source(self.profile, &self.labels, &source.host())
    }
}

/// What is known of a store.
#[derive(Clone, Debug, Default)]
pub struct Examined {
    /// None if it is on this machine.
    pub place: Option<&'static Place>,
    pub findings: Vec<String>,
    /// On which something leaves, or may leave.
    pub ways_out: Vec<WayOut>,
    /// The statements that would guard the ledger, if some are missing.
    pub recommended_policy: Option<String>,
}

/// The rules, as a store's guard asks them.
#[derive(Debug)]
struct Rules {
    profile: Profile,
    purpose: Use,
    encryption: StoreEncryption,
}

impl Rules {
    /// None for a directory.
    fn endpoint(&self, address: &Address) -> Result<Option<Endpoint>, Refusal> {
        match address {
            Address::Directory(_) => Ok(None),
            Address::S3 { scheme, host, port, bucket } => {
                let address = residency::Address {
                    scheme: scheme.clone(),
                    host: host.clone(),
                    port: *port,
                    bucket: bucket.clone(),
                };
                let endpoint = judge_endpoint(self.profile, &address)?;
                let at = match endpoint {
                    Endpoint::At(place) => Some(place),
                    Endpoint::Local => None,
                };
                let key = match &self.encryption {
                    StoreEncryption::ByBucket => StoreKey::ByBucket,
                    StoreEncryption::Aes256 => StoreKey::OfStore,
                    StoreEncryption::Kms { key } => StoreKey::Kms(key),
                };
                judge_store_key(self.profile, at, key)?;
                Ok(Some(endpoint))
            }
        }
    }
}

impl Guard for Rules {
    fn admit(&self, store: &str, address: &Address) -> Result<(), lethe_store::Error> {
        self.endpoint(address).map(|_| ()).map_err(|refusal| forbidden(store, refusal))
    }

    fn judge(
        &self,
        store: &str,
        address: &Address,
        facts: Option<&BucketFacts>,
    ) -> Result<Vec<String>, lethe_store::Error> {
        let endpoint = self.endpoint(address).map_err(|refusal| forbidden(store, refusal))?;
        let (Some(endpoint), Some(facts)) = (endpoint, facts) else {
            return Ok(vec![format!(
                "{store} is on this machine: where its disk and the copies of it are cannot be checked. This is for tests and for trying Lethe out"
            )]);
        };
        let verdict = residency::judge(self.profile, endpoint, &evidence(facts))
            .map_err(|refusal| forbidden(store, refusal))?;
        let more = judge_keeping(self.purpose, verdict.place.map(|place| place.provider), &keeping(facts))
            .map_err(|Refusal { problem, hint }| lethe_store::Error::Unfit {
                store: store.to_owned(),
                problem,
                hint,
            })?;
        let mut warnings: Vec<String> = verdict.warnings.into_iter().chain(more).collect();
        if let (lethe_store::Told::Yes(rules), StoreUrl::S3 { prefix, .. }) =
            (&facts.lifecycle, StoreUrl::parse(store)?)
        {
            let prefix = with_slash(prefix);
            warnings
                .extend(lifecycle::dangers(&lifecycle_rules(rules), contents(&prefix, self.purpose, facts)));
        }
        Ok(warnings.into_iter().map(|warning| format!("{store}: {warning}")).collect())
    }
}

fn forbidden(store: &str, Refusal { problem, hint }: Refusal) -> lethe_store::Error {
    lethe_store::Error::Residency { store: store.to_owned(), problem, hint }
}

fn told<T, U>(told: &lethe_store::Told<T>, convert: impl FnOnce(&T) -> U) -> Told<U> {
    match told {
        lethe_store::Told::Yes(value) => Told::Yes(convert(value)),
        lethe_store::Told::No { status, code } => Told::No { status: *status, code: code.clone() },
    }
}

fn evidence(facts: &BucketFacts) -> Evidence {
    Evidence {
        region: facts.region.clone(),
        location: told(&facts.location, Clone::clone),
        replication: destinations(&facts.replication),
        kms_key: told(&facts.kms_key, Clone::clone),
    }
}

fn destinations(found: &lethe_store::Told<Vec<lethe_store::Destination>>) -> Told<Vec<Destination>> {
    let one = |destination: &lethe_store::Destination| Destination {
        bucket: destination.bucket.clone(),
        region: destination.region.clone(),
    };
    told(found, |found| found.iter().map(one).collect())
}

fn ways_out(facts: &BucketFacts, found: &lethe_store::WaysOut) -> WaysOut {
    WaysOut {
        logging: destinations(&found.logging),
        inventories: destinations(&found.inventories),
        analytics: destinations(&found.analytics),
        events: told(&found.events, |targets| EventTargets {
            arns: targets.arns.clone(),
            event_bridge: targets.event_bridge,
        }),
        policy: told(&facts.policy, Clone::clone),
    }
}

fn keeping(facts: &BucketFacts) -> Keeping {
    Keeping {
        versioning: told(&facts.versioning, |versioning| match versioning {
            lethe_store::Versioning::Never => store_fitness::Versioning::Never,
            lethe_store::Versioning::Enabled => store_fitness::Versioning::Enabled,
            lethe_store::Versioning::Suspended => store_fitness::Versioning::Suspended,
        }),
        mfa_delete: facts.mfa_delete,
        default_retention: told(&facts.default_retention, |days| *days),
    }
}

fn with_slash(prefix: String) -> String {
    if prefix.is_empty() { prefix } else { format!("{prefix}/") }
}

/// Where the ledger is there may be data as well.
fn contents<'a>(prefix: &'a str, purpose: Use, facts: &BucketFacts) -> Contents<'a> {
    let never = matches!(facts.versioning, lethe_store::Told::Yes(lethe_store::Versioning::Never));
    Contents { prefix, data: true, ledger: purpose == Use::Ledger, keeps_versions: !never }
}

fn lifecycle_rules(rules: &[lethe_store::LifecycleRule]) -> Vec<lifecycle::LifecycleRule> {
    let one = |rule: &lethe_store::LifecycleRule| lifecycle::LifecycleRule {
        id: rule.id.clone(),
        prefix: rule.prefix.clone(),
        by_size: rule.by_size,
        expires_current: rule.expires_current,
        expires_noncurrent: rule.expires_noncurrent,
        removes_delete_markers: rule.removes_delete_markers,
        aborts_uploads_after: rule.aborts_uploads_after,
        moves: rule.moves,
    };
    rules.iter().map(one).collect()
}
