//! The table of a cache that travels: from keys of steps to layers, as JSON.
//!
//! It comes from registries and folders, so all of it is bounded and checked before it is believed. What a layer is
//! said to be is checked when its blob is read.

use std::collections::{BTreeMap, HashMap};

use plim_oci::{Compression, Descriptor, Digest, media_type};
use serde::{Deserialize, Serialize};

/// The form described here. Readers refuse others: a key of another form would mean something else.
pub(super) const VERSION: u32 = 1;
/// Bytes of JSON.
const MAX_BYTES: usize = 8 << 20;
/// Layers; a registry takes no manifest that lists more.
const MAX_LAYERS: usize = 16_384;
/// Steps, and looked-up owners.
const MAX_STEPS: usize = 65_536;
/// Things that one step reads.
const MAX_INPUTS: usize = 1_024;
/// Bytes of a layer: 1 TiB.
const MAX_LAYER: u64 = 1 << 40;

/// Why a table is not believed.
#[derive(Debug, thiserror::Error)]
pub enum CacheTableError {
    /// It is no JSON of the right shape.
    #[error("the table of the cache is malformed: {0}")]
    Malformed(serde_json::Error),
    /// Another version of plim wrote it.
    #[error("the table of the cache has version {0}; this plim reads version {VERSION}")]
    Version(u32),
    /// It is larger than any build makes it.
    #[error("the table of the cache has more {what} than the {most} that are read")]
    TooLarge {
        /// `bytes`, `layers`, …
        what: &'static str,
        /// How many are read.
        most: usize,
    },
    /// It contradicts itself.
    #[error("the table of the cache is wrong: {0}")]
    Wrong(String),
}

/// A layer that is the result of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CachedLayer {
    /// The blob.
    pub(crate) blob: Descriptor,
    /// Digest of the uncompressed tar.
    pub(crate) diff_id: Digest,
    /// How the blob was compressed.
    pub(crate) compression: Compression,
}

/// A step: its key and its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CachedStep {
    /// The key.
    pub(crate) key: Digest,
    /// Number of the layer.
    pub(crate) layer: usize,
    /// Of a key that says how inputs are made: digests of their content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) inputs: Option<Vec<Digest>>,
}

/// A user that was looked up in the files of a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CachedOwner {
    pub(crate) key: Digest,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// The JSON document.
#[derive(Debug, Serialize, Deserialize)]
struct Document {
    version: u32,
    layers: Vec<CachedLayer>,
    steps: Vec<CachedStep>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    owners: Vec<CachedOwner>,
}

/// Which layers answer which steps. Equal contents give equal JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheTable {
    layers: Vec<CachedLayer>,
    by_blob: HashMap<Digest, usize>,
    steps: BTreeMap<Digest, CachedStep>,
    owners: BTreeMap<Digest, CachedOwner>,
}

impl CacheTable {
    /// Reads a table, and refuses what no build writes.
    pub fn parse(json: &[u8]) -> Result<Self, CacheTableError> {
        let within = |what, count: usize, most: usize| {
            if count > most { Err(CacheTableError::TooLarge { what, most }) } else { Ok(()) }
        };
        read_version(json, MAX_BYTES)?;
        let document: Document = serde_json::from_slice(json).map_err(CacheTableError::Malformed)?;
        within("layers", document.layers.len(), MAX_LAYERS)?;
        within("steps", document.steps.len(), MAX_STEPS)?;
        within("owners", document.owners.len(), MAX_STEPS)?;
        let mut table = Self::default();
        for layer in document.layers {
            check(&layer)?;
            let blob = layer.blob.digest.clone();
            let before = table.layers.len();
            table.add_layer(layer);
            if table.layers.len() == before {
                return Err(CacheTableError::Wrong(format!("the layer {blob} is there twice")));
            }
        }
        for step in document.steps {
            if step.layer >= table.layers.len() {
                return Err(CacheTableError::Wrong(format!("the step {} has no layer", step.key)));
            }
            within("inputs of a step", step.inputs.as_ref().map_or(0, Vec::len), MAX_INPUTS)?;
            let key = step.key.clone();
            if table.steps.insert(key.clone(), step).is_some() {
                return Err(CacheTableError::Wrong(format!("the step {key} is there twice")));
            }
        }
        table.owners = document.owners.into_iter().map(|owner| (owner.key.clone(), owner)).collect();
        Ok(table)
    }

    /// Writes the table.
    pub fn to_json(&self) -> Vec<u8> {
        let document = Document {
            version: VERSION,
            layers: self.layers.clone(),
            steps: self.steps.values().cloned().collect(),
            owners: self.owners.values().cloned().collect(),
        };
        serde_json::to_vec(&document).expect("a table has only string keys")
    }

    /// Returns the blobs of the layers.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        self.layers.iter().map(|layer| &layer.blob)
    }

    /// Returns the number of keys of steps.
    pub fn steps(&self) -> usize {
        self.steps.len()
    }

    /// Adds what another table knows: that of the build for another platform.
    pub fn merge(&mut self, other: &Self) {
        for step in other.steps.values() {
            let layer = other.layers[step.layer].clone();
            self.add_step(step.key.clone(), layer, step.inputs.clone());
        }
        self.owners.extend(other.owners.iter().map(|(key, owner)| (key.clone(), owner.clone())));
    }

    /// Adds a step; what is known of its key already stays.
    pub(crate) fn add_step(&mut self, key: Digest, layer: CachedLayer, inputs: Option<Vec<Digest>>) {
        if !self.steps.contains_key(&key) && self.steps.len() < MAX_STEPS && self.layers.len() < MAX_LAYERS {
            let layer = self.add_layer(layer);
            self.steps.insert(key.clone(), CachedStep { key, layer, inputs });
        }
    }

    /// Adds a looked-up owner.
    pub(crate) fn add_owner(&mut self, key: Digest, (uid, gid): (u32, u32)) {
        if self.owners.len() < MAX_STEPS {
            self.owners.insert(key.clone(), CachedOwner { key, uid, gid });
        }
    }

    /// Returns the step of a key.
    pub(crate) fn step(&self, key: &Digest) -> Option<&CachedStep> {
        self.steps.get(key)
    }

    /// Returns the layers; steps name them by number.
    pub(crate) fn layers(&self) -> &[CachedLayer] {
        &self.layers
    }

    /// Returns the numbers of a user that was looked up.
    pub(crate) fn owner(&self, key: &Digest) -> Option<(u32, u32)> {
        self.owners.get(key).map(|owner| (owner.uid, owner.gid))
    }

    /// Returns the number of a layer, which is added where it is new.
    fn add_layer(&mut self, layer: CachedLayer) -> usize {
        let next = self.layers.len();
        let number = *self.by_blob.entry(layer.blob.digest.clone()).or_insert(next);
        if number == next {
            self.layers.push(layer);
        }
        number
    }
}

/// What is read first: all else may have another shape in another version.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// Refuses a table that is too large, or of another version.
pub(super) fn read_version(json: &[u8], most: usize) -> Result<(), CacheTableError> {
    if json.len() > most {
        return Err(CacheTableError::TooLarge { what: "bytes", most });
    }
    let Version { version } = serde_json::from_slice(json).map_err(CacheTableError::Malformed)?;
    if version == VERSION { Ok(()) } else { Err(CacheTableError::Version(version)) }
}

/// Refuses a layer that no build writes.
pub(super) fn check(layer: &CachedLayer) -> Result<(), CacheTableError> {
    let CachedLayer { blob, diff_id, compression } = layer;
    let wrong = |reason: &str| Err(CacheTableError::Wrong(format!("the layer {} {reason}", blob.digest)));
    if blob.digest.algorithm() != "sha256" || diff_id.algorithm() != "sha256" {
        return wrong("is not named by SHA-256");
    }
    if blob.size > MAX_LAYER {
        return wrong("is too large");
    }
    let kind = blob.media_type.as_str();
    let known = [media_type::OCI_LAYER, media_type::OCI_LAYER_GZIP, media_type::OCI_LAYER_ZSTD];
    if !known.contains(&kind) || kind != compression.media_type() {
        return wrong("is of another type than its compression says");
    }
    // addresses to fetch from, a platform: nothing that a layer of a step has
    if *blob != Descriptor::new(kind, blob.digest.clone(), blob.size) {
        return wrong("has more to it than type, digest and size");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn layer(name: &str) -> CachedLayer {
        let compression = Compression::Gzip(6);
        CachedLayer {
            blob: Descriptor::new(compression.media_type(), Digest::of(name.as_bytes()), 7),
            diff_id: Digest::of(format!("{name} tar").as_bytes()),
            compression,
        }
    }

    fn table(steps: &[(String, String)]) -> CacheTable {
        let mut table = CacheTable::default();
        for (key, name) in steps {
            table.add_step(Digest::of(key.as_bytes()), layer(name), Some(vec![Digest::of(b"input")]));
            table.add_owner(Digest::of(name.as_bytes()), (7, 8));
        }
        table
    }

    proptest! {
        #[test]
        fn a_table_comes_back_as_it_was(steps: Vec<(String, String)>) {
            let table = table(&steps);
            let back = CacheTable::parse(&table.to_json()).unwrap();
            prop_assert_eq!(back.to_json(), table.to_json());
            for (key, _) in &steps {
                let key = Digest::of(key.as_bytes());
                prop_assert_eq!(back.step(&key).unwrap(), table.step(&key).unwrap());
            }
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
            let _ = CacheTable::parse(&bytes);
        }
    }

    #[test]
    fn merging_keeps_each_step_with_its_layer() {
        let pair = |key: &str, name: &str| (key.to_owned(), name.to_owned());
        let mut one = table(&[pair("a", "x"), pair("b", "y")]);
        one.merge(&table(&[pair("c", "z"), pair("d", "x"), pair("a", "other")]));
        let answer = |key: &str| {
            let step = one.step(&Digest::of(key.as_bytes())).unwrap();
            one.layers()[step.layer].blob.digest.clone()
        };
        assert_eq!(["a", "b", "c", "d"].map(answer), ["x", "y", "z", "x"].map(|name| Digest::of(name.as_bytes())));
        assert_eq!(one.blobs().count(), 3);
    }

    #[test]
    fn what_no_build_writes_is_refused() {
        let good: serde_json::Value =
            serde_json::from_slice(&table(&[("a".to_owned(), "x".to_owned())]).to_json()).unwrap();
        let refused = |change: &dyn Fn(&mut serde_json::Value)| {
            let mut document = good.clone();
            change(&mut document);
            CacheTable::parse(document.to_string().as_bytes()).unwrap_err().to_string()
        };
        let twice = |list: &'static str| {
            move |document: &mut serde_json::Value| {
                let first = document[list][0].clone();
                document[list].as_array_mut().unwrap().push(first);
            }
        };
        insta::assert_snapshot!(
            [
                refused(&|document| document["version"] = 2.into()),
                refused(&|document| document["layers"][0]["blob"]["size"] = (-1).into()),
                refused(&|document| document["layers"][0]["blob"]["size"] = (1_u64 << 41).into()),
                refused(&|document| document["layers"][0]["blob"]["digest"] = "sha256:../../etc".into()),
                refused(&|document| document["layers"][0]["blob"]["mediaType"] = "text/html".into()),
                refused(&|document| document["layers"][0]["blob"]["urls"] = serde_json::json!(["http://x/"])),
                refused(&|document| document["layers"][0]["compression"] = "zstd:3".into()),
                refused(&|document| document["layers"][0]["diffId"] = format!("sha512:{}", "a".repeat(128)).into()),
                refused(&|document| document["steps"][0]["layer"] = 1.into()),
                refused(&twice("layers")),
                refused(&twice("steps")),
                CacheTable::parse(&vec![b' '; MAX_BYTES + 1]).unwrap_err().to_string(),
                CacheTable::parse(&b"[".repeat(100_000)).unwrap_err().to_string(),
            ]
            .join("\n")
        );
    }
}
