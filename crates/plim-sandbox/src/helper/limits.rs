//! Resource limits.

use rustix::process::{Resource, Rlimit};

use crate::error::{Fault, Step};
use crate::spec::Ulimit;

const NAMES: [(&str, Resource); 16] = [
    ("as", Resource::As),
    ("core", Resource::Core),
    ("cpu", Resource::Cpu),
    ("data", Resource::Data),
    ("fsize", Resource::Fsize),
    ("locks", Resource::Locks),
    ("memlock", Resource::Memlock),
    ("msgqueue", Resource::Msgqueue),
    ("nice", Resource::Nice),
    ("nofile", Resource::Nofile),
    ("nproc", Resource::Nproc),
    ("rss", Resource::Rss),
    ("rtprio", Resource::Rtprio),
    ("rttime", Resource::Rttime),
    ("sigpending", Resource::Sigpending),
    ("stack", Resource::Stack),
];

/// Allows as many open files as may be: every layer takes one. Returns the limit to put back.
pub(super) fn raise_files() -> Option<Rlimit> {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    rustix::process::setrlimit(Resource::Nofile, raised).ok().map(|()| limit)
}

/// Puts the limit of open files back, and sets those that are asked for.
pub(super) fn set(files: Option<Rlimit>, wanted: &[Ulimit]) -> Result<(), Fault> {
    if let Some(files) = files {
        // lowering a limit to what it was cannot fail
        let _ = rustix::process::setrlimit(Resource::Nofile, files);
    }
    for wanted in wanted {
        let resource = resource(&wanted.name)?;
        let limit = |number| (number != u64::MAX).then_some(number);
        let asked = Rlimit { current: limit(wanted.soft.min(wanted.hard)), maximum: limit(wanted.hard) };
        if rustix::process::setrlimit(resource, asked).is_ok() {
            continue;
        }
        let may = rustix::process::getrlimit(resource).maximum;
        let cut = Rlimit { current: lesser(asked.current, may), maximum: lesser(asked.maximum, may) };
        rustix::process::setrlimit(resource, cut).step(|| format!("set the limit {}", wanted.name))?;
    }
    Ok(())
}

/// The lower of two limits, of which none is the highest.
fn lesser(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn resource(name: &str) -> Result<Resource, Fault> {
    let found = NAMES.into_iter().find(|(known, _)| *known == name);
    found.map(|(_, resource)| resource).ok_or_else(|| Fault::Invalid(format!("there is no resource limit `{name}`")))
}

#[cfg(test)]
mod tests {
    use super::{NAMES, lesser, resource};

    #[test]
    fn names_are_found_and_others_are_errors() {
        assert!(NAMES.is_sorted_by_key(|(name, _)| *name));
        assert!(NAMES.iter().all(|(name, wanted)| resource(name).unwrap() == *wanted));
        assert!(resource("NOFILE").is_err());
    }

    #[test]
    fn no_limit_is_the_highest() {
        assert_eq!(lesser(None, Some(5)), Some(5));
        assert_eq!(lesser(Some(7), Some(5)), Some(5));
        assert_eq!(lesser(None, None), None);
    }
}
