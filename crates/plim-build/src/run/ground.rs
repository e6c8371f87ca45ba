//! The root file system that a RUN works on: an overlay, or a copy where none can be mounted.

use std::path::{Path, PathBuf};

use plim_sandbox::{Isolation, RootFs};

use super::empty_dir;
use crate::error::BuildError;
use crate::files::FilesError;
use crate::shared::Shared;
use crate::snapshot::{Chain, Draft, WorkingCopy};

/// What a person must know who relies on steps being kept apart.
const NOT_KEPT_APART: &str = "--isolation chroot: steps share the network, the processes and the host name of this machine or \
                              container; RUN --network=none and --offline are not enforced for them";

/// Where a step works.
pub(super) enum Ground<'a> {
    /// In the draft, as the upper directory of an overlay.
    Overlay(Chain),
    /// In a copy, which later steps of the stage use again.
    Copy(&'a mut WorkingCopy),
}

impl<'a> Ground<'a> {
    /// Prepares the files of a chain; `kept` is the copy that the stage has so far.
    pub(super) fn prepare(
        chain: Chain,
        kept: &'a mut Option<WorkingCopy>,
        shared: &Shared<'_>,
    ) -> Result<Self, BuildError> {
        if shared.request.isolation == Isolation::Namespaces {
            return Ok(Self::Overlay(chain));
        }
        shared.warn_once(NOT_KEPT_APART);
        let failed = |source| BuildError::layers("copy the files of the stage", source);
        if let Some(copy) = kept
            && !copy.advance(&chain, shared.events).map_err(failed)?
        {
            *kept = None;
        }
        Ok(Self::Copy(match kept {
            Some(copy) => copy,
            None => kept.insert(WorkingCopy::new(&shared.snapshots, &chain, shared.events).map_err(failed)?),
        }))
    }

    /// How the sandbox sees the files.
    pub(super) fn root(&self, draft: &Draft) -> Result<RootFs, BuildError> {
        Ok(match self {
            Self::Overlay(chain) => {
                let mut lower = chain.lower.clone();
                if lower.is_empty() {
                    lower.push(empty_dir(&draft.dir)?);
                }
                RootFs::Overlay { lower, upper: draft.fs.clone(), work: draft.work.clone() }
            }
            Self::Copy(copy) => RootFs::Dir(copy.root().to_owned()),
        })
    }

    /// A directory for files that live as long as the step; on the file system of a copy, from which they are moved.
    pub(super) fn scratch(&self, draft: &Draft) -> PathBuf {
        match self {
            Self::Overlay(_) => draft.dir.clone(),
            Self::Copy(copy) => copy.beside().to_owned(),
        }
    }

    /// Writes what the step changed to the draft, where it is not there already.
    pub(super) fn finish(self, into: &Path, shared: &Shared<'_>) -> Result<(), FilesError> {
        match self {
            Self::Overlay(_) => Ok(()),
            Self::Copy(copy) => copy.difference(into, shared.events),
        }
    }
}
