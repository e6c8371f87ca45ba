//! A root file system as the diff directories it is made of.

use std::path::PathBuf;

use plim_oci::{Digest, Hasher};

/// Diff directories, topmost first, and a name for what they add up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Equal ids mean equal root file systems.
    pub id: Digest,
    /// The directories, topmost first; none for an empty root.
    pub lower: Vec<PathBuf>,
}

impl Chain {
    /// Returns the empty root, `FROM scratch`.
    pub fn scratch() -> Self {
        Self { id: Digest::of(b""), lower: Vec::new() }
    }

    /// Returns this chain with one more directory on top, under a new id.
    #[must_use]
    pub fn push(&self, id: Digest, dir: PathBuf) -> Self {
        let mut lower = Vec::with_capacity(self.lower.len() + 1);
        lower.push(dir);
        lower.extend(self.lower.iter().cloned());
        Self { id, lower }
    }
}

/// Returns the chain id of layers (OCI image specification, "Layer ChainID"): that of the lowest is its
/// diffID, that of any other the digest of `parent diffID`.
pub fn chain_id(parent: Option<&Digest>, diff_id: &Digest) -> Digest {
    let Some(parent) = parent else { return diff_id.clone() };
    let mut hasher = Hasher::new();
    hasher.update(parent.as_str().as_bytes());
    hasher.update(b" ");
    hasher.update(diff_id.as_str().as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_comes_first() {
        let chain = Chain::scratch().push(Digest::of(b"a"), "/a".into()).push(Digest::of(b"b"), "/b".into());
        assert_eq!(chain.lower, [PathBuf::from("/b"), PathBuf::from("/a")]);
        assert_eq!(chain.id, Digest::of(b"b"));
    }

    #[test]
    fn chain_ids_follow_the_image_specification() {
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        let one = chain_id(None, &a);
        assert_eq!(one, a);
        assert_eq!(chain_id(Some(&one), &b), Digest::of(format!("{a} {b}").as_bytes()));
    }
}
