//! Becoming the command.

use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use bstr::BString;

use super::account::Account;
use crate::error::{Fault, ProgramFault};
use crate::spec::Spec;
use crate::sys;

/// Where programs are looked for when the environment has no PATH.
const DEFAULT_PATH: &[u8] = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Arguments and environment, ready for the kernel.
#[derive(Debug)]
pub(super) struct Command {
    program: BString,
    /// Where the program may be, in this order.
    candidates: Vec<CString>,
    args: Vec<CString>,
    env: Vec<CString>,
}

impl Command {
    pub(super) fn new(spec: &Spec, account: &Account) -> Result<Self, Fault> {
        let strings = |list: &[BString]| list.iter().map(terminated).collect::<Result<Vec<_>, _>>();
        let mut env = strings(&spec.env)?;
        if value(&spec.env, b"HOME").is_none() {
            let home = [b"HOME=", account.home.as_slice()].concat();
            env.push(terminated(&BString::from(home))?);
        }
        let program = spec.args.first().cloned().unwrap_or_default();
        let candidates = candidates(&program, value(&spec.env, b"PATH").unwrap_or(DEFAULT_PATH));
        Ok(Self { candidates: strings(&candidates)?, args: strings(&spec.args)?, env, program })
    }

    /// Becomes the command; returns only when that cannot be.
    pub(super) fn execute(&self) -> Fault {
        let mut fault = None;
        for candidate in &self.candidates {
            let error = sys::execute(candidate, &self.args, &self.env).raw_os_error().unwrap_or(libc::EIO);
            match error {
                libc::ENOENT | libc::ENOTDIR if !Path::new(OsStr::from_bytes(candidate.as_bytes())).exists() => {}
                // there, but not the program that it needs
                libc::ENOENT | libc::ENOTDIR => return self.fault(ProgramFault::NoInterpreter),
                // like a shell, go on to one that can be executed
                libc::EACCES => fault = Some(ProgramFault::NotExecutable),
                libc::ENOEXEC => return self.fault(ProgramFault::WrongFormat),
                errno => return Fault::System { step: format!("execute {}", self.program), errno },
            }
        }
        self.fault(fault.unwrap_or(ProgramFault::NotFound))
    }

    fn fault(&self, fault: ProgramFault) -> Fault {
        Fault::Program { program: self.program.to_string(), fault }
    }
}

fn terminated(text: &BString) -> Result<CString, Fault> {
    CString::new(text.as_slice())
        .map_err(|_| Fault::Invalid("an argument, variable or path contains a zero byte".to_owned()))
}

/// The last value of a variable, which is the one that programs see first or last; callers give each name once.
fn value<'a>(env: &'a [BString], name: &[u8]) -> Option<&'a [u8]> {
    env.iter().rev().find_map(|pair| pair.strip_prefix(name)?.strip_prefix(b"="))
}

fn candidates(program: &BString, path: &[u8]) -> Vec<BString> {
    if program.contains(&b'/') {
        return vec![program.clone()];
    }
    path.split(|byte| *byte == b':')
        .map(|dir| if dir.is_empty() { b".".as_slice() } else { dir })
        .map(|dir| BString::from([dir, b"/", program.as_slice()].concat()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{candidates, value};

    #[test]
    fn programs_are_looked_up_in_path_unless_they_have_a_slash() {
        assert_eq!(candidates(&"sh".into(), b"/bin:/usr/bin:"), ["/bin/sh", "/usr/bin/sh", "./sh"]);
        assert_eq!(candidates(&"./sh".into(), b"/bin"), ["./sh"]);
    }

    #[test]
    fn variables_are_found_by_their_whole_name() {
        let env = ["HOMER=1".into(), "HOME=/x=y".into()];
        assert_eq!(value(&env, b"HOME"), Some(b"/x=y".as_slice()));
        assert_eq!(value(&env, b"PATH"), None);
    }
}
