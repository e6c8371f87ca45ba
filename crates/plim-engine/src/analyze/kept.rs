//! What was found in an image, kept for the next question about it.
//!
//! An image does not change under its digest, so neither does what its layers and its configuration tell. What depends on
//! more than the image (its base, for which other images of the store are asked; the lines of the Dockerfile; what is
//! assumed of costs) is never kept but added anew by each run.

use std::fs::File;
use std::io::Read as _;

use camino::Utf8PathBuf;
use plim_oci::{Digest, Hasher};

use super::AnalyzeReport;
use crate::workspace::write_private;
use crate::{Failure, Tool, Workspace, housekeeping};

/// Version of what is found; raised whenever the same indexes give other findings (a test compares).
pub(super) const FORMAT: u32 = 2;

/// First bytes of a file, before the SHA-256 of its key and its body, and the body: the report as JSON.
const MAGIC: &[u8; 8] = b"plimfnd\n";

const HEADER: usize = MAGIC.len() + 32;

/// Bytes of the largest file. An image of 40,000 files and 2,000 packages takes less than one million.
const MAX_FILE: usize = 16 << 20;

/// Bytes of all files together; those that were not used for longest go first.
const MAX_ALL: u64 = 64 << 20;

/// The directory of findings, a file for each image, named after the digest of its manifest.
///
/// A file is written under a temporary name and renamed. One that is damaged, too large, or of another version counts as
/// missing: it can always be made again.
#[derive(Debug)]
pub(super) struct Kept {
    dir: Utf8PathBuf,
    version: String,
    max_file: usize,
    max_all: u64,
}

impl Kept {
    /// Returns the findings that this version of plim can use.
    pub(super) fn of(workspace: &Workspace) -> Self {
        // the indexes' schema says what collectors write down, the version of plim what else may have changed
        let version = format!("{FORMAT}.{}.{}", plim_index::SCHEMA, Tool::this().version);
        Self { dir: workspace.host.cache.join("analysis"), version, max_file: MAX_FILE, max_all: MAX_ALL }
    }

    fn path(&self, image: &Digest) -> Utf8PathBuf {
        self.dir.join(image.hex())
    }

    /// Returns what is known of an image, if it is there and sound.
    pub(super) fn get(&self, image: &Digest) -> Option<AnalyzeReport> {
        let mut file = Vec::new();
        let limit = (HEADER + self.max_file) as u64;
        File::open(self.path(image)).ok()?.take(limit + 1).read_to_end(&mut file).ok()?;
        let (header, body) = file.split_at_checked(HEADER)?;
        let expected = header.strip_prefix(MAGIC)?;
        if body.len() > self.max_file || expected != self.checksum(image, body) {
            return None;
        }
        let found: AnalyzeReport = serde_json::from_slice(body).ok()?;
        (found.digest == *image).then_some(found)
    }

    /// Keeps what was found. That it cannot be kept costs time, so it is no error.
    pub(super) fn put(&self, found: &AnalyzeReport) {
        if let Err(failure) = self.write(found) {
            tracing::debug!(message = failure.message, "what was found is not kept");
        }
    }

    fn write(&self, found: &AnalyzeReport) -> Result<(), Failure> {
        let body = serde_json::to_vec(found).map_err(|error| Failure::caused("failed to keep the findings", &error))?;
        if body.len() > self.max_file {
            tracing::debug!(bytes = body.len(), "what was found is too large to be kept");
            return Ok(());
        }
        std::fs::create_dir_all(&self.dir)
            .map_err(|error| Failure::caused(format!("failed to create {}", self.dir), &error))?;
        let mut file = Vec::with_capacity(HEADER + body.len());
        file.extend_from_slice(MAGIC);
        file.extend_from_slice(&self.checksum(&found.digest, &body));
        file.extend_from_slice(&body);
        // instructions are in it, and who made an image may have written anything into them
        write_private(&self.path(&found.digest), &file)?;
        housekeeping::keep_below(&self.dir, self.max_all);
        Ok(())
    }

    /// Binds a body to the image that it is about and to the version that can read it.
    fn checksum(&self, image: &Digest, body: &[u8]) -> [u8; 32] {
        let mut hasher = Hasher::new();
        for part in [self.version.as_bytes(), b"\n", image.as_str().as_bytes(), b"\n", body] {
            hasher.update(part);
        }
        hasher.finish_raw()
    }
}

#[cfg(test)]
mod tests {
    use plim_oci::{Platform, Silent};
    use plim_testkit::{ImageBuilder, LayerBuilder};

    use super::*;
    use crate::analyze::{AnalyzeOptions, analyze};
    use crate::testing::TestWorkspace;

    const SHOP: &str = "docker.io/library/shop:1";

    /// A workspace in which an image was analysed, and what was kept of it.
    fn analysed() -> (TestWorkspace, Kept, Digest) {
        let workspace = TestWorkspace::new();
        let image = ImageBuilder::new()
            .platform(&Platform::host())
            .layer(LayerBuilder::new().file("usr/share/doc/a/news", vec![1; 9000]))
            .layer(LayerBuilder::new().whiteout("usr/share/doc/a/news").file("srv/deep/er/file", "x"))
            .write_as(&workspace.store, SHOP);
        analyze(&workspace, SHOP, &AnalyzeOptions::default(), &Silent).unwrap();
        let kept = Kept::of(&workspace);
        (workspace, kept, image.descriptor.digest)
    }

    #[test]
    fn findings_come_back_as_they_were() {
        let (_workspace, kept, image) = analysed();
        let found = kept.get(&image).unwrap();
        assert_eq!((found.digest.clone(), found.subject.as_str(), found.base.is_none()), (image.clone(), "", true));
        let before = std::fs::read(kept.path(&image)).unwrap();
        kept.put(&found);
        assert_eq!(std::fs::read(kept.path(&image)).unwrap(), before);
        assert_eq!(std::fs::read_dir(&kept.dir).unwrap().count(), 1, "no temporary file stays");
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(kept.path(&image)).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600, "instructions may hold what is nobody else's business");
    }

    #[test]
    fn a_damaged_file_counts_as_missing() {
        let (_workspace, kept, image) = analysed();
        let good = std::fs::read(kept.path(&image)).unwrap();
        for at in (0..good.len()).step_by(7).chain([good.len() - 1]) {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(kept.path(&image), &bad).unwrap();
            assert!(kept.get(&image).is_none(), "byte {at}");
        }
        for length in [0, 7, HEADER - 1, HEADER, good.len() - 1] {
            std::fs::write(kept.path(&image), &good[..length]).unwrap();
            assert!(kept.get(&image).is_none(), "{length} bytes");
        }
        std::fs::write(kept.path(&image), [&good[..], b" "].concat()).unwrap();
        assert!(kept.get(&image).is_none(), "a byte too much");
    }

    #[test]
    fn the_file_of_another_image_or_version_counts_as_missing() {
        let (_workspace, kept, image) = analysed();
        let other = Digest::of(b"another image");
        std::fs::copy(kept.path(&image), kept.path(&other)).unwrap();
        assert!(kept.get(&other).is_none());
        assert!(kept.get(&image).is_some());
        let newer = Kept { version: format!("{}+1", kept.version), ..kept };
        assert!(newer.get(&image).is_none());
    }

    #[test]
    fn what_is_too_large_is_neither_kept_nor_read() {
        let (_workspace, kept, image) = analysed();
        let body = std::fs::metadata(kept.path(&image)).unwrap().len() as usize - HEADER;
        let found = kept.get(&image).unwrap();
        let small = Kept { max_file: body - 1, ..kept };
        assert!(small.get(&image).is_none());
        std::fs::remove_file(small.path(&image)).unwrap();
        small.put(&found);
        assert!(!small.path(&image).exists());
        let enough = Kept { max_file: body, ..small };
        enough.put(&found);
        assert!(enough.get(&image).is_some());
    }

    #[test]
    fn the_files_that_were_not_used_for_longest_make_room() {
        let (_workspace, kept, image) = analysed();
        let mut found = kept.get(&image).unwrap();
        let size = std::fs::metadata(kept.path(&image)).unwrap().len();
        let kept = Kept { max_all: 3 * size, ..kept };
        let images: Vec<Digest> = (0..4_u8).map(|number| Digest::of(&[number])).collect();
        std::fs::remove_file(kept.path(&image)).unwrap();
        for (number, image) in images.iter().enumerate() {
            found.digest = image.clone();
            kept.put(&found);
            // the second one is the oldest
            let age = std::time::Duration::from_hours(if number == 1 { 9 } else { 8 - number as u64 });
            let time = std::time::SystemTime::now() - age;
            let times = std::fs::FileTimes::new().set_modified(time).set_accessed(time);
            File::options().write(true).open(kept.path(image)).unwrap().set_times(times).unwrap();
        }
        let there: Vec<bool> = images.iter().map(|image| kept.path(image).exists()).collect();
        assert_eq!(there, [true, false, true, true]);
    }
}
