//! A small archive of one's own: keys, packages, indexes, release files, all in a directory.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use pgp::composed::{
    ArmorOptions, CleartextSignedMessage, EncryptionCaps, KeyType, SecretKeyParamsBuilder, SignedPublicKey,
    SignedSecretKey,
};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{SignatureConfig, SignatureType, Subpacket, SubpacketData};
use pgp::ser::Serialize as _;
use pgp::types::{KeyDetails as _, Password};
use plim_debian::{Archive, ArchiveOptions, Keyring, Recipe, SuiteKind, Transport, TransportError};
use plim_oci::{Digest, Events, TaskId};

/// Reads `file://` addresses.
pub(crate) struct Files;

impl Files {
    fn read(url: &str) -> Result<Vec<u8>, TransportError> {
        let path = url.strip_prefix("file://").ok_or_else(|| TransportError::new("not a file"))?;
        std::fs::read(path).map_err(|error| TransportError::missing(error.to_string()))
    }
}

impl Transport for Files {
    fn bytes(&self, url: &str, limit: u64) -> Result<Vec<u8>, TransportError> {
        let bytes = Self::read(url)?;
        if bytes.len() as u64 > limit { Err(TransportError::new("too large")) } else { Ok(bytes) }
    }

    fn download(
        &self,
        url: &str,
        dest: &Path,
        digest: &Digest,
        size: u64,
        _events: &dyn Events,
        _task: TaskId,
    ) -> Result<(), TransportError> {
        let bytes = Self::read(url)?;
        if bytes.len() as u64 != size || Digest::of(&bytes) != *digest {
            return Err(TransportError::new(format!(
                "content of {url} has digest {}, not {digest}",
                Digest::of(&bytes)
            )));
        }
        std::fs::write(dest, bytes).map_err(|error| TransportError::new(error.to_string()))
    }
}

/// Returns a key for signing.
pub(crate) fn key() -> SignedSecretKey {
    key_of(KeyType::Ed25519Legacy)
}

/// Returns a key for signing, of a given kind.
pub(crate) fn key_of(kind: KeyType) -> SignedSecretKey {
    let mut params = SecretKeyParamsBuilder::default();
    params
        .key_type(kind)
        .can_certify(true)
        .can_sign(true)
        .can_encrypt(EncryptionCaps::None)
        .primary_user_id("Test archive <test@localhost>".into());
    params.build().unwrap().generate(rand::thread_rng()).unwrap()
}

/// Returns the public half of a key as a file.
pub(crate) fn public(key: &SignedSecretKey) -> Vec<u8> {
    let mut bytes = Vec::new();
    SignedPublicKey::from(key.clone()).to_writer(&mut bytes).unwrap();
    bytes
}

/// Returns a text with a cleartext signature.
pub(crate) fn sign(key: &SignedSecretKey, text: &str) -> String {
    let message = CleartextSignedMessage::sign(rand::thread_rng(), text, &key.primary_key, &Password::empty()).unwrap();
    message.to_armored_string(ArmorOptions::default()).unwrap()
}

/// Returns a text signed in a given way.
pub(crate) fn sign_as(key: &SignedSecretKey, text: &str, kind: SignatureType, hash: HashAlgorithm, at: u32) -> String {
    let mut config = SignatureConfig::v4(kind, key.primary_key.algorithm(), hash);
    config.hashed_subpackets = vec![
        Subpacket::regular(SubpacketData::SignatureCreationTime(pgp::types::Timestamp::from_secs(at))).unwrap(),
        Subpacket::regular(SubpacketData::IssuerFingerprint(key.primary_key.fingerprint())).unwrap(),
    ];
    let message = CleartextSignedMessage::new(text, config, &key.primary_key, &Password::empty()).unwrap();
    message.to_armored_string(ArmorOptions::default()).unwrap()
}

/// An archive in a directory, with the key that signs it.
pub(crate) struct Mirror {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) cache: tempfile::TempDir,
    pub(crate) key: SignedSecretKey,
}

impl Mirror {
    /// Makes an archive of packages, each a control record without version digest and such, and its files.
    pub(crate) fn new(packages: &[(&str, &[(&str, &str)])]) -> Self {
        let mirror = Self { dir: tempfile::tempdir().unwrap(), cache: tempfile::tempdir().unwrap(), key: key() };
        let mut index = String::new();
        for (control, files) in packages {
            let name = control.lines().find_map(|line| line.strip_prefix("Package: ")).unwrap();
            let bytes = deb(control, files);
            let filename = format!("pool/{name}.deb");
            mirror.write(&format!("debian/{filename}"), &bytes);
            index += &format!(
                "{}\nFilename: {filename}\nSize: {}\nSHA256: {}\n\n",
                control.trim_end(),
                bytes.len(),
                Digest::of(&bytes).hex()
            );
        }
        for (suite, index) in [("trixie", index.as_str()), ("trixie-updates", ""), ("trixie-security", "")] {
            mirror.publish(suite, index, "2026-01-10T00:00:00Z");
        }
        mirror
    }

    fn base(suite: &str) -> &'static str {
        if suite.ends_with("-security") { "debian-security" } else { "debian" }
    }

    /// Publishes a suite with an index, as of a time.
    pub(crate) fn publish(&self, suite: &str, index: &str, date: &str) {
        let packed = xz(index.as_bytes());
        let date: Timestamp = date.parse().unwrap();
        let text = format!(
            "Origin: Test\nSuite: {suite}\nCodename: {suite}\nDate: {}\nAcquire-By-Hash: yes\nArchitectures: amd64\n\
             SHA256:\n {} {} main/binary-amd64/Packages.xz\n",
            date.strftime("%a, %d %b %Y %H:%M:%S UTC"),
            Digest::of(&packed).hex(),
            packed.len(),
        );
        self.write(&Self::index_path(suite, &packed), &packed);
        self.write(&Self::release_path(suite), sign(&self.key, &text).as_bytes());
    }

    pub(crate) fn release_path(suite: &str) -> String {
        format!("{}/dists/{suite}/InRelease", Self::base(suite))
    }

    fn index_path(suite: &str, packed: &[u8]) -> String {
        let hex = Digest::of(packed).hex().to_owned();
        format!("{}/dists/{suite}/main/binary-amd64/by-hash/SHA256/{hex}", Self::base(suite))
    }

    pub(crate) fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// Changes one byte of a file.
    pub(crate) fn flip(path: &Path, at: usize) {
        let mut bytes = std::fs::read(path).unwrap();
        bytes[at] ^= 1;
        std::fs::write(path, bytes).unwrap();
    }

    /// Returns the only index file of a suite.
    pub(crate) fn index_file(&self, suite: &str) -> PathBuf {
        let dir =
            self.dir.path().join(Self::base(suite)).join(format!("dists/{suite}/main/binary-amd64/by-hash/SHA256"));
        std::fs::read_dir(dir).unwrap().next().unwrap().unwrap().path()
    }

    /// Returns the options for reading it, as of a day after its making.
    pub(crate) fn options(&self) -> ArchiveOptions {
        let mut options = ArchiveOptions::new(self.cache.path().to_owned(), Timestamp::now());
        options.mirror = Some(format!("file://{}/debian", self.dir.path().display()));
        options.apt_config_roots.clear();
        options.keyring = Keyring::empty();
        for kind in [SuiteKind::Archive, SuiteKind::Security] {
            options.keyring.add(kind, &public(&self.key), None).unwrap();
        }
        options
    }

    pub(crate) fn archive(&self) -> Archive {
        Archive::new(self.options(), Files)
    }
}

/// Returns a recipe of plain kind.
pub(crate) fn recipe(packages: &str, more: &str) -> Recipe {
    let text = format!(
        "name = 'test'\nsummary = 'test'\nsuite = 'trixie'\nkind = 'plain'\nmode = 'closure'\npackages = [{packages}]\n{more}\n"
    );
    Recipe::parse("test", &text).unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn deb(control: &str, files: &[(&str, &str)]) -> Vec<u8> {
    let mut ar = b"!<arch>\n".to_vec();
    let members = [
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar.xz", xz(&tar(&[("control", control)]))),
        ("data.tar.xz", xz(&tar(files))),
    ];
    for (name, content) in members {
        writeln!(ar, "{name:<16}{:<12}0     0     100644  {:<10}`", 1_700_000_000, content.len()).unwrap();
        ar.extend_from_slice(&content);
        if content.len() % 2 == 1 {
            ar.push(b'\n');
        }
    }
    ar
}

/// Returns a tar; a name that ends in a slash is a directory.
fn tar(files: &[(&str, &str)]) -> Vec<u8> {
    use std::os::unix::fs::MetadataExt as _;
    let me = std::fs::metadata("/proc/self").unwrap();
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mtime(1_600_000_000);
        header.set_uid(me.uid().into());
        header.set_gid(me.gid().into());
        header.set_size(content.len() as u64);
        header.set_mode(if name.ends_with('/') { 0o755 } else { 0o644 });
        if name.ends_with('/') {
            header.set_entry_type(tar::EntryType::Directory);
        }
        builder.append_data(&mut header, name, content.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}
