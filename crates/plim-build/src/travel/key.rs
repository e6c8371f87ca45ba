//! Keys that mean the same on every machine.

use plim_oci::Digest;

use crate::cache::Op;
use crate::stack::Stack;

/// What a step reads, as its key names it.
#[derive(Debug, Clone)]
pub(crate) enum PortableInput {
    /// The digest of content.
    Content(Digest),
    /// Files of a stage or an image.
    Stack(Stack),
}

/// What the result of a step depends on.
#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    /// The operation with its arguments.
    pub(crate) op: Digest,
    /// It does not depend on what is below it.
    pub(crate) linked: bool,
    /// No time in the layer is later.
    pub(crate) epoch: i64,
    /// What it reads, stages and images by what they consist of.
    pub(crate) sources: Vec<PortableInput>,
    /// What it reads by content, where somebody looked.
    pub(crate) content: Option<Vec<Digest>>,
}

impl Recipe {
    /// Says whether it reads files of stages or images.
    pub(crate) fn reads_stacks(&self) -> bool {
        self.sources.iter().any(|source| matches!(source, PortableInput::Stack(_)))
    }

    /// Returns the key by what the inputs consist of; none where that is not known.
    pub(crate) fn by_sources(
        &self,
        below: Option<&Digest>,
        state: &mut dyn FnMut(&Stack) -> Option<Digest>,
    ) -> Option<Digest> {
        let inputs = self.sources.iter().map(|source| match source {
            PortableInput::Content(digest) => Some(digest.clone()),
            PortableInput::Stack(stack) => state(stack),
        });
        Some(self.key("sources", below, &inputs.collect::<Option<Vec<_>>>()?))
    }

    /// Returns the key by the content of the inputs.
    pub(crate) fn by_content(&self, below: Option<&Digest>, content: &[Digest]) -> Digest {
        self.key("content", below, content)
    }

    fn key(&self, kind: &str, below: Option<&Digest>, inputs: &[Digest]) -> Digest {
        let mut op = Op::new("travelling-step");
        op.field("kind", kind).option("below", below.map(Digest::as_str)).field("op", self.op.as_str());
        op.list("inputs", inputs.iter().map(Digest::as_str)).field("epoch", self.epoch.to_le_bytes());
        op.finish()
    }
}

/// Returns what names the lowest `count` layers of a stack and the base below them, wherever they were made; none if the
/// digest of one of them is not known.
pub(crate) fn state_id(
    stack: &Stack,
    count: usize,
    diff_id: &mut dyn FnMut(&Stack, usize) -> Option<Digest>,
) -> Option<Digest> {
    let mut id = stack.base_id();
    for index in 0..count {
        let mut op = Op::new("travelling-state");
        op.field("below", id.as_str()).field("layer", diff_id(stack, index)?.as_str());
        id = op.finish();
    }
    Some(id)
}

/// Returns the key of a user or group name that is looked up in files.
pub(crate) fn owner_key(state: &Digest, text: &str) -> Digest {
    let mut op = Op::new("travelling-owner");
    op.field("state", state.as_str()).field("text", text);
    op.finish()
}
