//! A local directory: for tests, for the demo, and for a disk that somebody else replicates.
//!
//! A put writes a temporary file beside the others (`.lethe-tmp/<random>`), syncs it, and gives it its name in one
//! step: by a rename, or for put-if-absent by a hard link, which fails if the name is taken. Then the directory is
//! synced, and so are directories that were made on the way. A crash leaves a temporary file at most; it is never
//! listed, and the next put that finds it older than a day removes it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};

use crate::object_store::{
    Doomed, NotDeleted, ObjectInfo, ObjectReader, ObjectStore, Page, UploadInfo, VersionInfo,
};
use crate::{Address, BucketFacts, Error, ObjectName, Operation, WaysOut, pages};

const TEMPORARY: &str = ".lethe-tmp";
const PIECE: usize = 256 * 1024;

#[derive(Clone, Debug)]
pub struct DirectoryStore {
    root: Arc<PathBuf>,
    url: Arc<str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Publish {
    Replace,
    IfAbsent,
}

impl DirectoryStore {
    /// Opens a directory, making it (readable by its owner alone) if it is not there.
    ///
    /// # Errors
    /// If the directory cannot be made or is something else.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, Error> {
        let root = root.into();
        let url = format!("file://{}", root.display());
        let failed = |cause: io::Error| Error::failed(&url, Operation::Connect, root.display(), cause);
        make_directories(&root).map_err(failed)?;
        let root = root.canonicalize().map_err(failed)?;
        Ok(Self { url: format!("file://{}", root.display()).into(), root: Arc::new(root) })
    }

    fn path(&self, name: &ObjectName) -> PathBuf {
        self.root.join(name.as_str())
    }

    async fn blocking<T: Send + 'static>(
        &self,
        operation: Operation,
        name: &str,
        work: impl FnOnce(&Self) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let this = self.clone();
        match tokio::task::spawn_blocking(move || work(&this)).await {
            Ok(result) => result,
            Err(cause) => Err(Error::failed(&self.url, operation, name, cause)),
        }
    }

    fn publish(&self, name: &ObjectName, body: &[u8], publish: Publish) -> Result<(), Error> {
        self.try_publish(name, body, publish).map_err(|cause| match cause.kind() {
            io::ErrorKind::AlreadyExists => {
                Error::AlreadyExists { store: self.url.to_string(), name: name.clone() }
            }
            _ => Error::failed(&self.url, Operation::Put, name, cause),
        })
    }

    fn try_publish(&self, name: &ObjectName, body: &[u8], publish: Publish) -> io::Result<()> {
        let path = self.path(name);
        let parent = path.parent().unwrap_or(&self.root);
        make_directories(parent)?;
        let temporary = Temporary::create(&self.root.join(TEMPORARY))?;
        let mut file = OpenOptions::new().write(true).open(&temporary.0)?;
        file.write_all(body)?;
        file.sync_all()?;
        match publish {
            Publish::Replace => fs::rename(&temporary.0, &path)?,
            Publish::IfAbsent => fs::hard_link(&temporary.0, &path)?,
        }
        File::open(parent)?.sync_all()
    }

    fn info(&self, name: ObjectName, metadata: &fs::Metadata) -> ObjectInfo {
        ObjectInfo {
            name,
            len: metadata.len(),
            modified: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            etag: Some(etag(metadata)),
        }
    }

    fn open_object(&self, name: &ObjectName) -> Result<(File, fs::Metadata), Error> {
        let path = self.path(name);
        let opened = File::open(&path).and_then(|file| {
            let metadata = file.metadata()?;
            if metadata.is_file() { Ok((file, metadata)) } else { Err(io::ErrorKind::NotFound.into()) }
        });
        opened.map_err(|cause| {
            if not_there(&cause) {
                Error::NotFound { store: self.url.to_string(), name: name.clone() }
            } else {
                Error::failed(&self.url, Operation::Get, name, cause)
            }
        })
    }

    fn reader(&self, name: &ObjectName, file: File, len: u64, etag: String) -> ObjectReader {
        let (store, object) = (self.clone(), name.clone());
        let body = stream::unfold((file, len), move |(file, left)| {
            let (store, object) = (store.clone(), object.clone());
            async move {
                if left == 0 {
                    return None;
                }
                let read = tokio::task::spawn_blocking(move || read_piece(file, left)).await;
                let failed = |cause: io::Error| Error::failed(&store.url, Operation::Get, &object, cause);
                match read {
                    Ok(Ok((file, piece))) => {
                        let left = left.saturating_sub(piece.len() as u64);
                        // A file that became shorter ends the stream; the reader then misses bytes.
                        let left = if piece.is_empty() { 0 } else { left };
                        Some((Ok(piece), (file, left)))
                    }
                    Ok(Err((file, cause))) => Some((Err(failed(cause)), (file, 0))),
                    Err(_) => None,
                }
            }
        });
        ObjectReader {
            name: name.clone(),
            store: self.url.to_string(),
            len,
            etag: Some(etag),
            body: body.boxed(),
        }
    }

    /// Names and metadata below one directory, unsorted.
    fn walk(&self, directory: &Path, found: &mut Vec<ObjectInfo>) -> io::Result<()> {
        let entries = match fs::read_dir(directory) {
            Err(cause) if not_there(&cause) => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            let kind = entry.file_type()?;
            if kind.is_dir() {
                if path != self.root.join(TEMPORARY) {
                    self.walk(&path, found)?;
                }
            } else if kind.is_file() {
                let relative = path.strip_prefix(self.root.as_path()).ok().and_then(Path::to_str);
                let Some(Ok(name)) = relative.map(ObjectName::new) else { continue };
                // Deleted between the two looks: it is not there.
                match entry.metadata() {
                    Err(cause) if not_there(&cause) => {}
                    metadata => found.push(self.info(name, &metadata?)),
                }
            }
        }
        Ok(())
    }
}

#[async_trait]
impl ObjectStore for DirectoryStore {
    fn url(&self) -> String {
        self.url.to_string()
    }

    fn address(&self) -> Address {
        Address::Directory(self.root.to_path_buf())
    }

    async fn bucket_facts(&self) -> Result<Option<BucketFacts>, Error> {
        Ok(None)
    }

    async fn ways_out(&self) -> Result<Option<WaysOut>, Error> {
        Ok(None)
    }

    async fn put(&self, name: &ObjectName, body: Bytes) -> Result<(), Error> {
        let object = name.clone();
        self.blocking(Operation::Put, name.as_str(), move |store| {
            store.publish(&object, &body, Publish::Replace)
        })
        .await
    }

    async fn put_if_absent(&self, name: &ObjectName, body: Bytes) -> Result<(), Error> {
        let object = name.clone();
        self.blocking(Operation::Put, name.as_str(), move |store| {
            store.publish(&object, &body, Publish::IfAbsent)
        })
        .await
    }

    async fn get(&self, name: &ObjectName) -> Result<ObjectReader, Error> {
        let object = name.clone();
        let open = move |store: &Self| store.open_object(&object);
        let (file, metadata) = self.blocking(Operation::Get, name.as_str(), open).await?;
        Ok(self.reader(name, file, metadata.len(), etag(&metadata)))
    }

    async fn get_range(
        &self,
        name: &ObjectName,
        range: Range<u64>,
        wanted: Option<&str>,
    ) -> Result<ObjectReader, Error> {
        let object = name.clone();
        let start = range.start;
        let open = move |store: &Self| {
            let (mut file, metadata) = store.open_object(&object)?;
            file.seek(io::SeekFrom::Start(start))
                .map_err(|cause| Error::failed(&store.url, Operation::Get, &object, cause))?;
            Ok((file, metadata))
        };
        let (file, metadata) = self.blocking(Operation::Get, name.as_str(), open).await?;
        let found = etag(&metadata);
        if wanted.is_some_and(|wanted| wanted != found) {
            return Err(Error::Changed { store: self.url(), name: name.clone() });
        }
        let len = range.end.min(metadata.len()).saturating_sub(start);
        Ok(self.reader(name, file, len, found))
    }

    async fn head(&self, name: &ObjectName) -> Result<Option<ObjectInfo>, Error> {
        let object = name.clone();
        let look = move |store: &Self| match fs::metadata(store.path(&object)) {
            Ok(metadata) if metadata.is_file() => Ok(Some(store.info(object, &metadata))),
            Ok(_) => Ok(None),
            Err(cause) if not_there(&cause) => Ok(None),
            Err(cause) => Err(Error::failed(&store.url, Operation::Head, &object, cause)),
        };
        self.blocking(Operation::Head, name.as_str(), look).await
    }

    /// Everything in one page.
    async fn list_page(&self, prefix: &str, _cursor: Option<&str>) -> Result<Page, Error> {
        let wanted = prefix.to_owned();
        let walk = move |store: &Self| {
            // Only the directory that the prefix names, not the whole tree; a prefix that is no name lists nothing.
            let directory = wanted.rsplit_once('/').map_or("", |(directory, _)| directory);
            if directory.split('/').any(|segment| segment == "..") {
                return Ok(Vec::new());
            }
            let mut found = Vec::new();
            store
                .walk(&store.root.join(directory.trim_start_matches('/')), &mut found)
                .map_err(|cause| Error::failed(&store.url, Operation::List, &wanted, cause))?;
            found.retain(|info| info.name.as_str().starts_with(&wanted));
            found.sort_by(|one, other| one.name.cmp(&other.name));
            Ok(found)
        };
        let infos = self.blocking(Operation::List, prefix, walk).await?;
        Ok(Page { infos, next: None })
    }

    async fn list(&self, prefix: &str) -> Result<BoxStream<'static, Result<ObjectInfo, Error>>, Error> {
        Ok(pages::all(self.clone(), prefix))
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), Error> {
        let object = name.clone();
        let delete = move |store: &Self| match fs::remove_file(store.path(&object)) {
            Err(cause) if !not_there(&cause) => {
                Err(Error::failed(&store.url, Operation::Delete, &object, cause))
            }
            _ => Ok(()),
        };
        self.blocking(Operation::Delete, name.as_str(), delete).await
    }

    async fn versions_page(
        &self,
        _prefix: &str,
        _cursor: Option<&str>,
    ) -> Result<Option<Page<VersionInfo>>, Error> {
        Ok(None)
    }

    async fn versions(&self, _prefix: &str) -> Result<Option<Vec<VersionInfo>>, Error> {
        Ok(None)
    }

    async fn get_version(&self, name: &ObjectName, _version: &str) -> Result<ObjectReader, Error> {
        Err(Error::NotFound { store: self.url(), name: name.clone() })
    }

    async fn delete_version(&self, name: &ObjectName, _version: &str) -> Result<(), Error> {
        Err(Error::NotFound { store: self.url(), name: name.clone() })
    }

    /// One after the other is as good here.
    async fn delete_batch(&self, _doomed: &[Doomed]) -> Result<Option<Vec<NotDeleted>>, Error> {
        Ok(None)
    }

    /// Temporary files, which a crash leaves, whatever object they were for.
    async fn uploads_page(
        &self,
        _prefix: &str,
        _cursor: Option<&str>,
    ) -> Result<Option<Page<UploadInfo>>, Error> {
        let look = move |store: &Self| {
            let failed = |cause| Error::failed(&store.url, Operation::List, TEMPORARY, cause);
            let mut infos = Vec::new();
            let entries = match fs::read_dir(store.root.join(TEMPORARY)) {
                Err(cause) if not_there(&cause) => return Ok(infos),
                entries => entries.map_err(failed)?,
            };
            for entry in entries {
                let entry = entry.map_err(failed)?;
                let Ok(id) = entry.file_name().into_string() else { continue };
                match entry.metadata().and_then(|metadata| metadata.modified()) {
                    Err(cause) if not_there(&cause) => {}
                    begun => infos.push(UploadInfo {
                        name: ObjectName::new(format!("{TEMPORARY}/{id}"))?,
                        id,
                        begun: begun.map_err(failed)?,
                    }),
                }
            }
            Ok(infos)
        };
        let infos = self.blocking(Operation::List, TEMPORARY, look).await?;
        Ok(Some(Page { infos, next: None }))
    }

    async fn abort_upload(&self, upload: &UploadInfo) -> Result<(), Error> {
        self.delete(&upload.name).await
    }

    /// The file system's, which is another machine's where the directory is: a new file is dated by it.
    async fn date(&self) -> Result<SystemTime, Error> {
        let look = move |store: &Self| {
            let modified = Temporary::create(&store.root.join(TEMPORARY))
                .and_then(|temporary| fs::metadata(&temporary.0)?.modified());
            modified.map_err(|cause| Error::failed(&store.url, Operation::Look, TEMPORARY, cause))
        };
        self.blocking(Operation::Look, TEMPORARY, look).await
    }
}

/// A file without a name of its own yet; removed unless it was renamed.
struct Temporary(PathBuf);

impl Temporary {
    fn create(directory: &Path) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        make_directories(directory)?;
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = directory.join(format!("{}-{number}", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => remove_if_old(&path)?,
                created => return created.map(|_| Self(path)),
            }
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename there is nothing to remove; if it cannot be removed now, it is as after a crash.
        let _ = fs::remove_file(&self.0);
    }
}

/// What a process of the same number left behind before it died.
fn remove_if_old(path: &Path) -> io::Result<()> {
    let age = fs::metadata(path).and_then(|metadata| metadata.modified()).map(|modified| modified.elapsed());
    match age {
        Ok(Ok(age)) if age > Duration::from_secs(86_400) => fs::remove_file(path),
        _ => Ok(()),
    }
}

fn make_directories(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    if let Some(parent) = directory.parent() {
        make_directories(parent)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(directory) {
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => return Ok(()),
        made => made?,
    }
    match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}

type PieceRead = Result<(File, Bytes), (File, io::Error)>;

fn read_piece(mut file: File, left: u64) -> PieceRead {
    let mut piece = vec![0; usize::try_from(left).unwrap_or(PIECE).min(PIECE)];
    match file.read(&mut piece) {
        Ok(read) => {
            piece.truncate(read);
            Ok((file, piece.into()))
        }
        Err(cause) => Err((file, cause)),
    }
}

/// Objects are replaced by renaming, so another file has another inode or a later change.
fn etag(metadata: &fs::Metadata) -> String {
    format!("{:x}-{:x}-{:x}-{:x}", metadata.ino(), metadata.len(), metadata.ctime(), metadata.ctime_nsec())
}

fn not_there(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
