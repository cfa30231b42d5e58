//! The operations of the S3 API that Lethe uses, over the shared state.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, BucketLocationConstraint, BucketVersioningStatus,
    Checksum, ChecksumMode, ChecksumType, DeleteMarkerEntry, DeleteObjectInput, DeleteObjectOutput,
    DeleteObjectsInput, DeleteObjectsOutput, ETag, ETagCondition, GetBucketLocationInput,
    GetBucketLocationOutput, GetBucketVersioningInput, GetBucketVersioningOutput, GetObjectInput,
    GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput,
    ListMultipartUploadsInput, ListMultipartUploadsOutput, ListObjectVersionsInput, ListObjectVersionsOutput,
    ListObjectsV2Input, ListObjectsV2Output, MultipartUpload, Object, ObjectVersion, PutObjectInput,
    PutObjectOutput, StreamingBlob, Timestamp,
};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use super::bucket::{Bucket, Condition, Version};
use super::{Misbehaviour, REGION, State};

#[derive(Debug)]
pub(super) struct Service(Arc<Mutex<State>>);

impl Service {
    pub(super) fn new(state: Arc<Mutex<State>>) -> Self {
        Self(state)
    }

    fn state(&self, call: &'static str) -> MutexGuard<'_, State> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.calls.push(call);
        state
    }

    fn has(&self, misbehaviour: Misbehaviour) -> bool {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.misbehaviours.contains(&misbehaviour)
    }

    /// What other writers have done in the meantime is overwritten.
    async fn write_later(
        &self,
        input: &PutObjectInput,
        body: Bytes,
        is_free: bool,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        if !is_free {
            return Err(s3_error!(PreconditionFailed));
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = bucket(&mut state, &input.bucket)?.put(&input.key, body, &Condition::None);
        Ok(S3Response::new(PutObjectOutput { e_tag: written.map(etag), ..PutObjectOutput::default() }))
    }
}

fn bucket<'a>(state: &'a mut State, name: &str) -> S3Result<&'a mut Bucket> {
    state.buckets.get_mut(name).ok_or_else(|| s3_error!(NoSuchBucket))
}

fn version<'a>(bucket: &'a Bucket, key: &str, id: Option<&String>) -> S3Result<&'a Version> {
    let found = match id {
        None => bucket.get(key),
        Some(id) => id.parse().ok().and_then(|id| bucket.get_version(key, id)),
    };
    found.filter(|version| version.body.is_some()).ok_or_else(|| s3_error!(NoSuchKey))
}

fn length(body: &Bytes) -> Option<i64> {
    i64::try_from(body.len()).ok()
}

fn etag(version: &Version) -> ETag {
    ETag::Strong(version.etag())
}

fn crc32(body: &Bytes) -> Option<String> {
    let mut hasher = ChecksumHasher { crc32: Some(Crc32::new()), ..ChecksumHasher::default() };
    hasher.update(body);
    hasher.finalize().checksum_crc32
}

/// Reads the whole body and checks every checksum that came with the request, in headers or in the trailer.
async fn checked_body(request: &mut S3Request<PutObjectInput>) -> S3Result<(Bytes, bool)> {
    let mut body = BytesMut::new();
    if let Some(stream) = request.input.body.take() {
        let mut stream = stream;
        while let Some(piece) = stream.try_next().await.map_err(|_| s3_error!(IncompleteBody))? {
            body.extend_from_slice(&piece);
        }
    }
    let body = body.freeze();
    let trailer = request.trailing_headers.as_ref().and_then(s3s::TrailingHeaders::take);
    let trailed = |name: &str| Some(trailer.as_ref()?.get(name)?.to_str().ok()?.to_owned());
    let input = &request.input;
    let claimed = Checksum {
        checksum_crc32: input.checksum_crc32.clone().or_else(|| trailed("x-amz-checksum-crc32")),
        checksum_crc32c: input.checksum_crc32c.clone().or_else(|| trailed("x-amz-checksum-crc32c")),
        checksum_crc64nvme: input.checksum_crc64nvme.clone().or_else(|| trailed("x-amz-checksum-crc64nvme")),
        checksum_sha1: input.checksum_sha1.clone().or_else(|| trailed("x-amz-checksum-sha1")),
        checksum_sha256: input.checksum_sha256.clone().or_else(|| trailed("x-amz-checksum-sha256")),
        ..Checksum::default()
    };
    let mut hasher = ChecksumHasher {
        crc32: claimed.checksum_crc32.as_ref().map(|_| Crc32::new()),
        crc32c: claimed.checksum_crc32c.as_ref().map(|_| Crc32c::new()),
        crc64nvme: claimed.checksum_crc64nvme.as_ref().map(|_| Crc64Nvme::new()),
        sha1: claimed.checksum_sha1.as_ref().map(|_| Sha1::new()),
        sha256: claimed.checksum_sha256.as_ref().map(|_| Sha256::new()),
    };
    hasher.update(&body);
    let found = hasher.finalize();
    let holds = found.checksum_crc32 == claimed.checksum_crc32
        && found.checksum_crc32c == claimed.checksum_crc32c
        && found.checksum_crc64nvme == claimed.checksum_crc64nvme
        && found.checksum_sha1 == claimed.checksum_sha1
        && found.checksum_sha256 == claimed.checksum_sha256;
    Ok((body, holds))
}

#[async_trait]
impl S3 for Service {
    async fn put_object(
        &self,
        mut request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let (body, holds) = checked_body(&mut request).await?;
        let input = request.input;
        if input.if_none_match.is_some() && self.has(Misbehaviour::LooksBeforeItWrites) {
            let is_free = bucket(&mut self.state("PutObject"), &input.bucket)?.get(&input.key).is_none();
            return self.write_later(&input, body, is_free).await;
        }
        let mut state = self.state("PutObject");
        if !holds && !state.misbehaviours.contains(&Misbehaviour::AcceptsWrongChecksums) {
            if state.misbehaviours.contains(&Misbehaviour::KeepsObjectsOfWrongChecksums) {
                bucket(&mut state, &input.bucket)?.put(&input.key, body, &Condition::None);
            }
            return Err(s3_error!(BadDigest));
        }
        let ignores = state.misbehaviours.contains(&Misbehaviour::GarageIgnoresConditions);
        let everyone = state.misbehaviours.contains(&Misbehaviour::CephVersionedEveryoneWins);
        let bucket = bucket(&mut state, &input.bucket)?;
        let condition = match (&input.if_none_match, &input.if_match) {
            _ if ignores || (everyone && bucket.versioned) => Condition::None,
            (Some(_), _) => Condition::Absent,
            (None, Some(ETagCondition::ETag(etag))) => Condition::Is(etag.value().to_owned()),
            (None, Some(ETagCondition::Any) | None) => Condition::None,
        };
        let versioned = bucket.versioned;
        let written =
            bucket.put(&input.key, body, &condition).ok_or_else(|| s3_error!(PreconditionFailed))?;
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(etag(written)),
            version_id: versioned.then(|| written.id.to_string()),
            ..PutObjectOutput::default()
        }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let mut state = self.state("GetObject");
        let lenient = state.misbehaviours.contains(&Misbehaviour::IgnoresIfMatchOnGet);
        let found = version(bucket(&mut state, &input.bucket)?, &input.key, input.version_id.as_ref())?;
        if let Some(ETagCondition::ETag(wanted)) = &input.if_match
            && wanted.value() != found.etag()
            && !lenient
        {
            return Err(s3_error!(PreconditionFailed));
        }
        let whole = found.body.clone().unwrap_or_default();
        let range = match &input.range {
            None => None,
            Some(range) => Some(range.check(whole.len() as u64).map_err(|_| s3_error!(InvalidRange))?),
        };
        let content_range =
            range.as_ref().map(|range| format!("bytes {}-{}/{}", range.start, range.end - 1, whole.len()));
        let body = range.map_or(whole.clone(), |range| whole.slice(range.start as usize..range.end as usize));
        let pieces: Vec<std::io::Result<Bytes>> = (0..body.len())
            .step_by(64 << 10)
            .map(|start| Ok(body.slice(start..body.len().min(start + (64 << 10)))))
            .collect();
        // Amazon vouches for whole objects only.
        let asked = input.checksum_mode.as_ref().is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED);
        let vouched = asked && input.range.is_none();
        Ok(S3Response::new(GetObjectOutput {
            checksum_crc32: vouched.then(|| crc32(&body)).flatten(),
            checksum_type: vouched.then(|| ChecksumType::from_static(ChecksumType::FULL_OBJECT)),
            content_length: length(&body),
            content_range,
            e_tag: Some(etag(found)),
            last_modified: Some(Timestamp::from(found.modified)),
            body: Some(StreamingBlob::wrap(futures_util::stream::iter(pieces))),
            ..GetObjectOutput::default()
        }))
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        let mut state = self.state("HeadObject");
        let found = version(bucket(&mut state, &input.bucket)?, &input.key, input.version_id.as_ref())?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: found.body.as_ref().and_then(length),
            e_tag: Some(etag(found)),
            last_modified: Some(Timestamp::from(found.modified)),
            ..HeadObjectOutput::default()
        }))
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = request.input;
        let mut state = self.state("DeleteObject");
        let lenient = state.misbehaviours.contains(&Misbehaviour::IgnoresConditionsOnDelete);
        if let (Some(ETagCondition::ETag(wanted)), false) = (&input.if_match, lenient) {
            let found = bucket(&mut state, &input.bucket)?.get(&input.key);
            if found.is_none_or(|found| found.etag() != wanted.value()) {
                return Err(s3_error!(PreconditionFailed));
            }
        }
        let bucket = bucket(&mut state, &input.bucket)?;
        match input.version_id.and_then(|id| id.parse().ok()) {
            Some(id) => bucket.delete_version(&input.key, id),
            None => bucket.delete(&input.key),
        }
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let input = request.input;
        let mut state = self.state("DeleteObjects");
        if input.delete.objects.len() > 1000 {
            return Err(s3_error!(MalformedXML));
        }
        let bucket = bucket(&mut state, &input.bucket)?;
        for object in input.delete.objects {
            match object.version_id.and_then(|id| id.parse().ok()) {
                Some(id) => bucket.delete_version(&object.key, id),
                None => bucket.delete(&object.key),
            }
        }
        Ok(S3Response::new(DeleteObjectsOutput::default()))
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = request.input;
        let mut state = self.state("ListMultipartUploads");
        let prefix = input.prefix.clone().unwrap_or_default();
        let uploads = bucket(&mut state, &input.bucket)?.uploads.iter();
        let uploads =
            uploads.filter(|upload| upload.key.starts_with(&prefix)).map(|upload| MultipartUpload {
                key: Some(upload.key.clone()),
                upload_id: Some(upload.id.clone()),
                initiated: Some(Timestamp::from(upload.begun)),
                ..MultipartUpload::default()
            });
        Ok(S3Response::new(ListMultipartUploadsOutput {
            is_truncated: Some(false),
            uploads: Some(uploads.collect()),
            ..ListMultipartUploadsOutput::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let input = request.input;
        let mut state = self.state("AbortMultipartUpload");
        let uploads = &mut bucket(&mut state, &input.bucket)?.uploads;
        uploads.retain(|upload| upload.key != input.key || upload.id != input.upload_id);
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let mut state = self.state("ListObjectsV2");
        let bucket = bucket(&mut state, &input.bucket)?;
        let prefix = input.prefix.clone().unwrap_or_default();
        // The token is the last key of the page before.
        let after = input.continuation_token.clone().or(input.start_after.clone()).unwrap_or_default();
        let most = usize::try_from(input.max_keys.unwrap_or(1000)).unwrap_or(1000).min(1000);
        let mut keys = bucket.list(&prefix, &after);
        let page: Vec<Object> = keys
            .by_ref()
            .take(most)
            .map(|(key, version)| Object {
                key: Some(key.to_owned()),
                size: version.body.as_ref().and_then(length),
                e_tag: Some(etag(version)),
                last_modified: Some(Timestamp::from(version.modified)),
                ..Object::default()
            })
            .collect();
        let truncated = keys.next().is_some();
        let next = page.last().and_then(|object| object.key.clone()).filter(|_| truncated);
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket.clone()),
            prefix: input.prefix,
            key_count: i32::try_from(page.len()).ok(),
            is_truncated: Some(truncated),
            next_continuation_token: next,
            contents: Some(page),
            ..ListObjectsV2Output::default()
        }))
    }

    async fn list_object_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        let input = request.input;
        let mut state = self.state("ListObjectVersions");
        let bucket = bucket(&mut state, &input.bucket)?;
        let mut versions = bucket.versions(input.prefix.as_deref().unwrap_or(""));
        // The markers are the last key and version of the page before.
        if let Some(after) = input.key_marker {
            let id = input.version_id_marker.and_then(|id| id.parse::<u64>().ok()).unwrap_or(0);
            versions.retain(|(key, version, _)| *key > after || *key == after && version.id < id);
        }
        let truncated = versions.len() > 1000;
        versions.truncate(1000);
        let last = versions.last().filter(|_| truncated);
        let mut output = ListObjectVersionsOutput {
            is_truncated: Some(truncated),
            next_key_marker: last.map(|(key, ..)| key.clone()),
            next_version_id_marker: last.map(|(_, version, _)| version.id.to_string()),
            ..ListObjectVersionsOutput::default()
        };
        for (key, version, latest) in versions {
            let (key, id) = (Some(key), Some(version.id.to_string()));
            let modified = Some(Timestamp::from(version.modified));
            match &version.body {
                Some(body) => output.versions.get_or_insert_default().push(ObjectVersion {
                    key,
                    version_id: id,
                    is_latest: Some(latest),
                    last_modified: modified,
                    size: length(body),
                    e_tag: Some(etag(&version)),
                    ..ObjectVersion::default()
                }),
                None => output.delete_markers.get_or_insert_default().push(DeleteMarkerEntry {
                    key,
                    version_id: id,
                    is_latest: Some(latest),
                    last_modified: modified,
                    ..DeleteMarkerEntry::default()
                }),
            }
        }
        Ok(S3Response::new(output))
    }

    async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        let mut state = self.state("HeadBucket");
        let says = !state.misbehaviours.contains(&Misbehaviour::NoRegionHeader);
        bucket(&mut state, &request.input.bucket)?;
        Ok(S3Response::new(HeadBucketOutput {
            bucket_region: says.then(|| REGION.to_owned()),
            ..HeadBucketOutput::default()
        }))
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        bucket(&mut self.state("GetBucketLocation"), &request.input.bucket)?;
        let place = BucketLocationConstraint::from(REGION.to_owned());
        Ok(S3Response::new(GetBucketLocationOutput { location_constraint: Some(place) }))
    }

    async fn get_bucket_versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        let mut state = self.state("GetBucketVersioning");
        let versioned = bucket(&mut state, &request.input.bucket)?.versioned;
        let status = versioned.then(|| BucketVersioningStatus::from_static(BucketVersioningStatus::ENABLED));
        Ok(S3Response::new(GetBucketVersioningOutput { status, ..GetBucketVersioningOutput::default() }))
    }
}
