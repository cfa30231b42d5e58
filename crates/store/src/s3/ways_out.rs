//! Where a bucket's store sends reports of it and messages about it. Sources: GetBucketLogging,
//! ListBucketInventoryConfigurations, ListBucketAnalyticsConfigurations and GetBucketNotificationConfiguration of the Amazon
//! S3 API Reference; `RGWHandler_REST_Bucket_S3::op_get` of Ceph, which answers what it does not know with a listing.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{AnalyticsConfiguration, InventoryConfiguration};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::S3Store;
use super::failure::status;
use crate::bucket_facts::{Destination, EventTargets, Told, WaysOut};
use crate::{Error, Operation};

/// Some of the destinations, and where the next ones begin.
#[derive(Debug, Default)]
struct Page {
    named: Vec<String>,
    is_last: bool,
    next: Option<String>,
}

impl S3Store {
    pub(super) async fn all_ways_out(&self) -> Result<WaysOut, Error> {
        let (logging, inventories, analytics, events) =
            tokio::try_join!(self.logging(), self.inventories(), self.analytics(), self.events())?;
        Ok(WaysOut { logging, inventories, analytics, events })
    }

    async fn logging(&self) -> Result<Told<Vec<Destination>>, Error> {
        let answer = self.client.get().get_bucket_logging().bucket(&self.bucket).send().await;
        let target = self.answered(answer, |output| {
            let target = output.logging_enabled().map(|enabled| enabled.target_bucket().to_owned());
            target.into_iter().collect()
        })?;
        self.looked_up(target).await
    }

    async fn inventories(&self) -> Result<Told<Vec<Destination>>, Error> {
        let ask = move |from| {
            async move {
                let request = self.client.get().list_bucket_inventory_configurations().bucket(&self.bucket);
                let answer = request.set_continuation_token(from).send().await;
                self.answered(answer, |output| Page {
                    named: output.inventory_configuration_list().iter().filter_map(inventory).collect(),
                    is_last: output.is_truncated() != Some(true),
                    next: output.next_continuation_token().map(str::to_owned),
                })
            }
            .boxed()
        };
        self.looked_up(self.all_pages(ask).await?).await
    }

    async fn analytics(&self) -> Result<Told<Vec<Destination>>, Error> {
        let ask = move |from| {
            async move {
                let request = self.client.get().list_bucket_analytics_configurations().bucket(&self.bucket);
                let answer = request.set_continuation_token(from).send().await;
                self.answered(answer, |output| Page {
                    named: output.analytics_configuration_list().iter().filter_map(analysis).collect(),
                    is_last: output.is_truncated() != Some(true),
                    next: output.next_continuation_token().map(str::to_owned),
                })
            }
            .boxed()
        };
        self.looked_up(self.all_pages(ask).await?).await
    }

    async fn events(&self) -> Result<Told<EventTargets>, Error> {
        let request = self.client.get().get_bucket_notification_configuration();
        let answer = request.bucket(&self.bucket).send().await;
        self.answered(answer, |output| {
            let topics = output.topic_configurations().iter().map(|topic| topic.topic_arn());
            let queues = output.queue_configurations().iter().map(|queue| queue.queue_arn());
            let functions = output.lambda_function_configurations().iter();
            let functions = functions.map(|function| function.lambda_function_arn());
            EventTargets {
                arns: topics.chain(queues).chain(functions).map(str::to_owned).collect(),
                event_bridge: output.event_bridge_configuration().is_some(),
            }
        })
    }

    /// What all pages name, each of them once.
    async fn all_pages<'a>(
        &'a self,
        ask: impl Fn(Option<String>) -> BoxFuture<'a, Result<Told<Page>, Error>> + Send + Sync,
    ) -> Result<Told<Vec<String>>, Error> {
        let (mut named, mut from) = (Vec::new(), None);
        loop {
            let page = match ask(from.clone()).await? {
                Told::Yes(page) => page,
                Told::No { status, code } => return Ok(Told::No { status, code }),
            };
            for name in page.named {
                if !named.contains(&name) {
                    named.push(name);
                }
            }
            match page.next {
                _ if page.is_last => return Ok(Told::Yes(named)),
                Some(next) if from.as_ref() != Some(&next) => from = Some(next),
                _ => {
                    let problem = "the store does not say where the next page begins";
                    return Err(Error::failed(&self.url, Operation::Look, "the bucket", problem));
                }
            }
        }
    }

    /// What an answer says. A store that answers with a list of objects has not known the question.
    fn answered<O, E, T: Default>(
        &self,
        answer: Result<O, SdkError<E>>,
        read: impl FnOnce(O) -> T,
    ) -> Result<Told<T>, Error>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        match answer {
            Err(error) if is_listing(&error) => {
                Ok(Told::No { status: 501, code: Some("NotImplemented".to_owned()) })
            }
            answer => self.told(answer, &[], read),
        }
    }
}

fn is_listing<E>(error: &SdkError<E>) -> bool {
    let body = error.raw_response().and_then(|answer| answer.body().bytes());
    let begins = |body: &[u8]| {
        let beginning = &body[..body.len().min(200)];
        String::from_utf8_lossy(beginning).contains("<ListBucketResult")
    };
    status(error) == Some(200) && body.is_some_and(begins)
}

/// Where an inventory is written; none if it is not enabled.
fn inventory(inventory: &InventoryConfiguration) -> Option<String> {
    // One without a destination is none that could be looked up.
    let destination = inventory.destination().and_then(|destination| destination.s3_bucket_destination());
    inventory.is_enabled().then(|| destination.map_or("", |to| to.bucket()).to_owned())
}

/// Where an analysis is written; none if it only stays where it is.
fn analysis(analysis: &AnalyticsConfiguration) -> Option<String> {
    let export = analysis.storage_class_analysis()?.data_export()?;
    let destination = export.destination().and_then(|destination| destination.s3_bucket_destination());
    Some(destination.map_or("", |to| to.bucket()).to_owned())
}
