//! A build that failed for want of room, or of a place to write to: which of plim's directories it was.

use std::error::Error;
use std::io;

use camino::Utf8Path;
use plim_build::BuildError;
use rustix::fs::StatVfsMountFlags;

use crate::{Failure, Kind, Workspace};

/// What commands say whose files have no room.
const NO_ROOM: &str = "No space left on device";
/// Where less than this is left after all that was begun is removed again, a command that found no room is taken at its word.
const LITTLE: u64 = 1 << 30;

/// One of plim's directories, and the file system that it is on.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    dir: &'a Utf8Path,
    /// The flag that names another.
    flag: &'static str,
    /// Bytes.
    left: u64,
    read_only: bool,
}

/// Says in the hint which directory is on the disk that is full, or that cannot be written: errors of layers name paths inside
/// of the image.
pub(super) fn explain(workspace: &Workspace, error: &BuildError, failure: Failure) -> Failure {
    let Some(wanted) = Wanted::of(error) else { return failure };
    let places = [(&workspace.host.data, "--data"), (&workspace.host.cache, "--cache")].map(|(dir, flag)| {
        let stat = rustix::fs::statvfs(dir.as_std_path()).ok();
        Place {
            dir,
            flag,
            left: stat.as_ref().map_or(u64::MAX, |stat| stat.f_bavail.saturating_mul(stat.f_frsize)),
            read_only: stat.is_some_and(|stat| stat.f_flag.contains(StatVfsMountFlags::RDONLY)),
        }
    });
    wanted.explain(&places, failure)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Room,
    /// A command says that it found none.
    RoomOfCommand,
    Writing,
}

impl Wanted {
    fn of(error: &BuildError) -> Option<Self> {
        if let BuildError::Step { output, .. } = error {
            return output.iter().any(|line| line.contains(NO_ROOM)).then_some(Self::RoomOfCommand);
        }
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(error) = cause {
            match error.downcast_ref::<io::Error>().map(io::Error::kind) {
                Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => return Some(Self::Room),
                Some(io::ErrorKind::ReadOnlyFilesystem) => return Some(Self::Writing),
                _ => cause = error.source(),
            }
        }
        None
    }

    fn explain(self, places: &[Place<'_>], mut failure: Failure) -> Failure {
        let hint = match self {
            Self::Room | Self::RoomOfCommand => {
                let Some(tight) = places.iter().min_by_key(|place| place.left) else { return failure };
                if self == Self::RoomOfCommand {
                    // else the command has filled a file system of its own
                    if tight.left >= LITTLE {
                        return failure;
                    }
                    failure.kind = Kind::Tool;
                }
                format!(
                    "the disk is full that holds {}: free some space (`plim prune` removes what no image needs), or name \
                     another place with {}",
                    tight.dir, tight.flag
                )
            }
            Self::Writing => {
                let Some(place) = places.iter().find(|place| place.read_only) else { return failure };
                format!("{} is on a read-only file system: name another place with {}", place.dir, place.flag)
            }
        };
        failure.hint = Some(hint);
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(output: &[&str]) -> BuildError {
        BuildError::Step {
            line: 1,
            stage: String::new(),
            instruction: "RUN x".to_owned(),
            code: 1,
            signal: None,
            output: output.iter().map(|line| (*line).to_owned()).collect(),
            context: Box::new(plim_build::StepContext { step: (1, 1), command: Vec::new(), hint: None }),
        }
    }

    fn places(left: u64, read_only: bool) -> [Place<'static>; 2] {
        [
            Place { dir: Utf8Path::new("/data"), flag: "--data", left, read_only: false },
            Place { dir: Utf8Path::new("/cache"), flag: "--cache", left: 1 << 40, read_only },
        ]
    }

    fn io_error(kind: io::ErrorKind) -> BuildError {
        BuildError::Io { action: "write the step cache".to_owned(), source: kind.into() }
    }

    #[test]
    fn the_tightest_place_is_named() {
        let wanted = Wanted::of(&io_error(io::ErrorKind::StorageFull)).unwrap();
        let failure = wanted.explain(&places(0, false), Failure::tool("failed"));
        let hint = failure.hint.unwrap();
        assert!(hint.starts_with("the disk is full that holds /data: "), "{hint}");
        assert!(hint.ends_with("with --data"), "{hint}");
    }

    #[test]
    fn a_command_without_room_is_the_machines_fault_where_there_is_none() {
        let wanted = Wanted::of(&step(&["mv: can't rename 'a': No space left on device"])).unwrap();
        let failure = wanted.explain(&places(1000, false), Failure::subject("failed"));
        assert_eq!(failure.kind, Kind::Tool);
        assert!(failure.hint.unwrap().contains("/data"));
        // a tmpfs of the step, for one
        let failure = wanted.explain(&places(LITTLE, false), Failure::subject("failed"));
        assert_eq!((failure.kind, failure.hint), (Kind::Subject, None));
        assert_eq!(Wanted::of(&step(&["make: error"])), None);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let wanted = Wanted::of(&io_error(io::ErrorKind::ReadOnlyFilesystem)).unwrap();
        let failure = wanted.explain(&places(0, true), Failure::tool("failed"));
        assert_eq!(failure.hint.unwrap(), "/cache is on a read-only file system: name another place with --cache");
        // a folder for output is named by its own error
        assert_eq!(wanted.explain(&places(0, false), Failure::tool("failed")).hint, None);
        assert_eq!(Wanted::of(&io_error(io::ErrorKind::PermissionDenied)), None);
    }
}
