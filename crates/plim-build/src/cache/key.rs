//! Keys of steps.

use plim_oci::{Digest, Hasher};

/// Part of every key: raised when steps of the same key would no longer leave the same files.
const VERSION: &str = "plim-step-1";

/// Collects what a step depends on. Fields are length-prefixed, so no two lists of fields run together.
#[derive(Debug, Clone)]
pub(crate) struct Op {
    hasher: Hasher,
}

impl Op {
    /// Begins the description of an operation of a kind (`run`, `copy`, …).
    pub(crate) fn new(kind: &str) -> Self {
        let mut op = Self { hasher: Hasher::new() };
        op.bytes(VERSION.as_bytes());
        op.bytes(kind.as_bytes());
        op
    }

    /// Adds a named field.
    pub(crate) fn field(&mut self, name: &str, value: impl AsRef<[u8]>) -> &mut Self {
        self.bytes(name.as_bytes());
        self.bytes(value.as_ref());
        self
    }

    /// Adds a named list.
    pub(crate) fn list<T: AsRef<[u8]>>(&mut self, name: &str, values: impl IntoIterator<Item = T>) -> &mut Self {
        self.bytes(name.as_bytes());
        let mut count: u64 = 0;
        for value in values {
            self.bytes(value.as_ref());
            count += 1;
        }
        self.hasher.update(&u64::MAX.to_le_bytes());
        self.hasher.update(&count.to_le_bytes());
        self
    }

    /// Adds a field that may be absent.
    pub(crate) fn option<T: AsRef<[u8]>>(&mut self, name: &str, value: Option<T>) -> &mut Self {
        self.list(name, value)
    }

    /// Returns the digest of the description.
    pub(crate) fn finish(&self) -> Digest {
        self.hasher.clone().finish()
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.hasher.update(&(bytes.len() as u64).to_le_bytes());
        self.hasher.update(bytes);
    }
}

/// What a step's key is made of, kept apart so that a miss can be explained.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    /// The state that the step starts from; `None` when its result does not depend on it (`--link`).
    pub(crate) parent: Option<Digest>,
    /// The operation with all its arguments.
    pub(crate) op: Digest,
    /// What it reads, by name.
    pub(crate) inputs: Vec<(String, Digest)>,
}

impl Key {
    /// Returns the key.
    pub(crate) fn digest(&self) -> Digest {
        let mut op = Op::new("key");
        op.option("parent", self.parent.as_ref().map(Digest::as_str));
        op.field("op", self.op.as_str());
        // the names of inputs are for people; their order and content count
        op.list("inputs", self.inputs.iter().map(|(_, digest)| digest.as_str()));
        op.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_run_together() {
        let digest = |build: &dyn Fn(&mut Op)| {
            let mut op = Op::new("x");
            build(&mut op);
            op.finish()
        };
        let all = [
            digest(&|_| {}),
            digest(&|op| {
                op.field("a", "bc");
            }),
            digest(&|op| {
                op.field("ab", "c");
            }),
            digest(&|op| {
                op.list("a", ["b", "c"]);
            }),
            digest(&|op| {
                op.list("a", ["bc"]);
            }),
            digest(&|op| {
                op.list("a", ["b"]).list("c", Vec::<&str>::new());
            }),
            digest(&|op| {
                op.option("a", None::<&str>);
            }),
            digest(&|op| {
                op.option("a", Some(""));
            }),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[at + 1..].contains(one), "{at}");
        }
    }

    #[test]
    fn a_key_depends_on_parent_operation_and_content_of_inputs() {
        let base = Key {
            parent: Some(Digest::of(b"parent")),
            op: Digest::of(b"op"),
            inputs: vec![("src".to_owned(), Digest::of(b"content"))],
        };
        let mut renamed = base.clone();
        renamed.inputs[0].0 = "other".to_owned();
        assert_eq!(base.digest(), renamed.digest());

        let mut changed = base.clone();
        changed.inputs[0].1 = Digest::of(b"changed");
        let mut unparented = base.clone();
        unparented.parent = None;
        assert_ne!(base.digest(), changed.digest());
        assert_ne!(base.digest(), unparented.digest());
    }
}
