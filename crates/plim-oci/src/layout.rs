//! OCI image layouts on disk; the local store is one.
//!
//! A layout follows the image layout specification 1.0 (<https://github.com/opencontainers/image-spec/blob/main/image-layout.md>),
//! so every OCI tool reads it. What plim needs beside lives in the hidden directory `.plim`: the lock of the
//! index and unfinished files. Every open layout holds a shared lock on the file `oci-layout`; whoever gets
//! that lock alone knows that nobody builds, and may clean up.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustix::fs::FlockOperation;

use crate::blobs::Source;
use crate::verify::VerifyingReader;
use crate::{BlobError, Blobs, BlobsMut, Descriptor, Digest, Index, lock, read};

mod index;
mod receive;
pub(crate) mod referrers;
mod repository;
mod sweep;
mod usage;
mod writer;

pub use receive::Receiver;
pub use repository::LayoutRepository;
pub use sweep::Sweep;
pub use writer::BlobWriter;

/// The whole content of the file `oci-layout`.
pub(crate) const MARKER: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;
/// Annotation with a name in an index (image specification, "Annotations").
pub(crate) const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// Annotation with a complete image name, as containerd and Docker write it.
pub(crate) const IMAGE_NAME: &str = "io.containerd.image.name";
/// An index of more than this is not one that a tool wrote; bytes.
const MAX_INDEX: u64 = 64 << 20;

/// An OCI image layout directory.
///
/// Clones share one lock: a process opens each layout once and clones it. Writers in several processes do
/// not disturb each other.
#[derive(Debug, Clone)]
pub struct Layout {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    /// Holds the shared lock; `None` where the file system has no locks.
    in_use: Option<File>,
}

impl Layout {
    /// Opens a layout that exists; removes what writers that died left behind.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, BlobError> {
        let root = dir.as_ref().to_path_buf();
        let marker = root.join("oci-layout");
        let file = File::open(&marker).map_err(|error| BlobError::io("read", &marker, error))?;
        let mut text = String::new();
        (&file).take(4096).read_to_string(&mut text).map_err(|error| BlobError::io("read", &marker, error))?;
        let version = serde_json::from_str::<serde_json::Value>(&text)
            .ok()
            .and_then(|value| value.get("imageLayoutVersion")?.as_str().map(str::to_owned));
        if !version.as_deref().is_some_and(|version| version.starts_with("1.")) {
            let reason = io::Error::new(io::ErrorKind::InvalidData, "not an OCI image layout of version 1");
            return Err(BlobError::io("read", &marker, reason));
        }
        let in_use = mark_in_use(&root, file);
        Ok(Self { inner: Arc::new(Inner { root, in_use }) })
    }

    /// Opens a layout, after making an empty one where there is none.
    pub fn create(dir: impl AsRef<Path>) -> Result<Self, BlobError> {
        let root = dir.as_ref();
        if !root.join("oci-layout").exists() {
            let write =
                |action, path: &Path, done: io::Result<()>| done.map_err(|error| BlobError::io(action, path, error));
            let blobs = root.join("blobs/sha256");
            write("create", &blobs, std::fs::create_dir_all(&blobs))?;
            let _alone = index::lock(root)?;
            if !root.join("index.json").exists() {
                index::store(root, &Index::default())?;
            }
            // last, because its presence says that the layout is whole; another process may have been faster
            let marker = root.join("oci-layout");
            if !marker.exists() {
                write("write", &marker, writer::replace(root, &marker, MARKER.as_bytes()))?;
            }
        }
        Self::open(root)
    }

    /// Returns the directory.
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    /// Returns where a blob is or would be.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        let mut path = self.root().join("blobs");
        path.push(digest.algorithm());
        path.push(digest.hex());
        path
    }

    /// Returns the size in bytes of a blob that is there.
    pub fn size_of(&self, digest: &Digest) -> Result<Option<u64>, BlobError> {
        let path = self.blob_path(digest);
        match std::fs::metadata(&path) {
            Ok(metadata) => Ok(metadata.is_file().then_some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(BlobError::io("read", &path, error)),
        }
    }

    /// Finds a manifest by the name it was tagged with, by `sha256:…`, by `name@sha256:…`, or, for the empty
    /// name, takes the only one there is.
    pub fn resolve(&self, name: &str) -> Result<Descriptor, BlobError> {
        let index = self.index()?;
        if let Some(found) = find(&index, name) {
            return Ok(found.clone());
        }
        // a manifest below an index, or one whose name was moved away
        if let Some(digest) = digest_in(name).filter(|digest| digest.algorithm() == "sha256")
            && let Some(size) = self.size_of(&digest)?
        {
            return read::describe(self, &digest, size);
        }
        Err(BlobError::NoSuchName { name: name.to_owned(), place: self.place() })
    }

    /// Lists names and what they stand for, in the order in which they were given.
    pub fn names(&self) -> Result<Vec<(String, Descriptor)>, BlobError> {
        Ok(named(&self.index()?).map(|(name, descriptor)| (name.to_owned(), descriptor.clone())).collect())
    }

    /// Notes that a name is used now.
    pub fn mark_used(&self, name: &str) {
        usage::mark(self, name);
    }

    /// Returns when a name was last used, as [`mark_used`](Self::mark_used) and [`tag`](BlobsMut::tag) noted it; of a
    /// name without a note, when its manifest was written.
    pub fn last_used(&self, name: &str, manifest: &Descriptor) -> Option<SystemTime> {
        usage::last(self, name, manifest)
    }

    /// Takes a name away; false if there was none. The blobs stay until a sweep.
    pub fn untag(&self, name: &str) -> Result<bool, BlobError> {
        usage::forget(self, name);
        index::change(self.root(), |index| {
            let before = index.manifests.len();
            index.manifests.retain(|manifest| !is_named(manifest, name));
            index.manifests.len() != before
        })
    }

    /// Begins to receive a blob that comes over a network; `None` if it is there.
    pub fn receive<'a>(
        &self,
        descriptor: &Descriptor,
        source: &'a dyn Source,
    ) -> Result<Option<Receiver<'a>>, BlobError> {
        Receiver::begin(self, descriptor, source)
    }

    /// Begins a blob whose digest and size are not known yet.
    pub fn writer(&self) -> Result<BlobWriter, BlobError> {
        BlobWriter::new(self.clone())
    }

    /// Returns the index as it is now.
    pub fn index(&self) -> Result<Index, BlobError> {
        index::load(self.root())
    }

    /// Removes every blob that no manifest in the index needs and that `keep` does not claim, unless another
    /// process has the layout open. Call it when this process writes nothing into the layout.
    pub fn sweep_unreferenced(&self, keep: &dyn Fn(&Digest) -> bool) -> Result<Sweep, BlobError> {
        let Some(file) = &self.inner.in_use else { return Ok(Sweep { busy: true, ..Sweep::default() }) };
        if !lock::try_flock(file, FlockOperation::NonBlockingLockExclusive).unwrap_or(false) {
            // a failed change of a lock may lose the one that was held
            let _ = lock::wait_flock(file, FlockOperation::LockShared);
            return Ok(Sweep { busy: true, ..Sweep::default() });
        }
        let result = sweep::sweep(self, keep, false, &HashSet::new());
        let _ = lock::wait_flock(file, FlockOperation::LockShared);
        result
    }
}

impl Layout {
    /// Tells what [`sweep_unreferenced`](Self::sweep_unreferenced) would remove if some names were taken away; removes
    /// nothing.
    pub fn sweep_preview(&self, without: &HashSet<String>, keep: &dyn Fn(&Digest) -> bool) -> Result<Sweep, BlobError> {
        sweep::sweep(self, keep, true, without)
    }
}

impl Blobs for Layout {
    fn exists(&self, descriptor: &Descriptor) -> Result<bool, BlobError> {
        Ok(self.size_of(&descriptor.digest)?.is_some())
    }

    fn open_from(&self, descriptor: &Descriptor, from: u64) -> Result<Box<dyn Read + Send>, BlobError> {
        let path = self.blob_path(&descriptor.digest);
        let opened = File::open(&path).and_then(|mut file| {
            if from > 0 {
                file.seek(io::SeekFrom::Start(from))?;
            }
            Ok(file)
        });
        match opened {
            Ok(file) => Ok(Box::new(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(BlobError::Missing { digest: descriptor.digest.clone(), place: self.place() })
            }
            Err(error) => Err(BlobError::io("read", &path, error)),
        }
    }

    fn place(&self) -> String {
        self.root().display().to_string()
    }

    fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, BlobError> {
        referrers::of(self, subject)
    }

    fn companion(&self, tag: &str) -> Result<Option<Descriptor>, BlobError> {
        Ok(find(&self.index()?, tag).cloned())
    }
}

impl BlobsMut for Layout {
    fn put(&self, descriptor: &Descriptor, content: &mut dyn Read) -> Result<(), BlobError> {
        // a power cut can leave a blob with its name but without all its bytes: such a one is written again
        if self.size_of(&descriptor.digest)? == Some(descriptor.size) {
            return Ok(());
        }
        let mut writer = self.writer()?;
        let path = self.blob_path(&descriptor.digest);
        io::copy(&mut VerifyingReader::of(content, descriptor), &mut writer)
            .map_err(|error| BlobError::io("write", &path, error))?;
        writer.keep_as(&descriptor.digest)
    }

    fn put_from(&self, descriptor: &Descriptor, source: &dyn Source) -> Result<(), BlobError> {
        receive::put(self, descriptor, source)
    }

    fn attach(&self, _subject: &Digest, referrer: &Descriptor) -> Result<(), BlobError> {
        index::change(self.root(), |index| {
            if index.manifests.iter().all(|manifest| manifest.digest != referrer.digest) {
                index.manifests.push(referrer.clone());
            }
        })
    }

    fn tag(&self, name: &str, descriptor: &Descriptor) -> Result<(), BlobError> {
        usage::mark(self, name);
        index::change(self.root(), |index| {
            index.manifests.retain(|manifest| !is_named(manifest, name));
            let mut descriptor = descriptor.clone();
            descriptor.annotations.insert(REF_NAME.to_owned(), name.to_owned());
            if name.contains('/') {
                descriptor.annotations.insert(IMAGE_NAME.to_owned(), name.to_owned());
            } else {
                descriptor.annotations.remove(IMAGE_NAME);
            }
            // a manifest that had no name gets this one
            index.manifests.retain(|other| other.digest != descriptor.digest || name_of(other).is_some());
            index.manifests.push(descriptor);
        })
    }
}

/// Takes the shared lock of a layout, and cleans up when it was free. Locks are a courtesy between writers:
/// where the file system has none, reading still works, and a sweep does not happen.
fn mark_in_use(root: &Path, file: File) -> Option<File> {
    if lock::try_flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap_or(false) {
        writer::remove_unfinished(root);
        receive::remove_old(root);
    }
    lock::wait_flock(&file, FlockOperation::LockShared).ok().map(|()| file)
}

/// Returns the name of an index entry.
pub(crate) fn name_of(descriptor: &Descriptor) -> Option<&str> {
    // Docker writes the tag alone as ref.name beside the complete name
    descriptor.annotations.get(IMAGE_NAME).or_else(|| descriptor.annotations.get(REF_NAME)).map(String::as_str)
}

fn is_named(descriptor: &Descriptor, name: &str) -> bool {
    name_of(descriptor) == Some(name)
}

/// Returns the named entries of an index.
pub(crate) fn named(index: &Index) -> impl Iterator<Item = (&str, &Descriptor)> {
    index.manifests.iter().filter_map(|manifest| Some((name_of(manifest)?, manifest)))
}

/// Finds an entry by name, by digest or, for the empty name, the only one.
pub(crate) fn find<'a>(index: &'a Index, name: &str) -> Option<&'a Descriptor> {
    if name.is_empty() {
        let distinct: HashSet<&Digest> = index.manifests.iter().map(|manifest| &manifest.digest).collect();
        return index.manifests.first().filter(|_| distinct.len() == 1);
    }
    let by = |key: &str| {
        index.manifests.iter().rev().find(|manifest| manifest.annotations.get(key).is_some_and(|value| value == name))
    };
    by(IMAGE_NAME).or_else(|| by(REF_NAME)).or_else(|| {
        let digest = digest_in(name)?;
        index.manifests.iter().find(|manifest| manifest.digest == digest)
    })
}

/// Returns the digest of `sha256:…` and `name@sha256:…`.
fn digest_in(name: &str) -> Option<Digest> {
    name.rsplit_once('@').map_or(name, |(_, digest)| digest).parse().ok()
}
