//! `plim build --on-error=shell`, on a terminal that the test plays the person at.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};

use rustix::pty::OpenptFlags;

use crate::env::{Output, TestEnv};
use crate::rootfs::{SHELL, shell_image};

/// Both sides of a terminal: what a person has, and what programs have.
fn pair() -> (OwnedFd, OwnedFd) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let person = rustix::pty::openpt(flags).unwrap();
    rustix::pty::grantpt(&person).unwrap();
    rustix::pty::unlockpt(&person).unwrap();
    let program = rustix::pty::ioctl_tiocgptpeer(&person, flags).unwrap();
    (person, program)
}

/// A person who reads and types.
struct Person {
    reader: File,
    writer: File,
    seen: String,
}

impl Person {
    fn at(env: &TestEnv, args: &[&str]) -> (Self, Child) {
        let (person, program) = pair();
        let stdin = Stdio::from(program.try_clone().unwrap());
        let mut command = env.command(args);
        command.env("TERM", "vt100").stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::from(program));
        let child = command.spawn().unwrap();
        let reader = File::from(person.try_clone().unwrap());
        (Self { reader, writer: File::from(person), seen: String::new() }, child)
    }

    /// Reads until a text was seen, or to the end.
    fn until(&mut self, text: &str) -> bool {
        let mut chunk = [0; 4096];
        while !self.seen.contains(text) {
            // the last program that has the other side open is gone
            let Ok(count @ 1..) = self.reader.read(&mut chunk) else { return false };
            self.seen.push_str(&String::from_utf8_lossy(&chunk[..count]));
        }
        true
    }

    fn types(&mut self, line: &str) {
        self.writer.write_all(line.as_bytes()).unwrap();
        self.writer.write_all(b"\r").unwrap();
    }
}

#[test]
fn a_shell_opens_where_the_step_failed() {
    let env = TestEnv::new();
    if !shell_image(&env) {
        return;
    }
    env.write(
        "Dockerfile",
        format!(
            "FROM {SHELL}\nENV COLOUR=red\nWORKDIR /job\n\
             RUN --mount=type=tmpfs,target=/scratch echo half done >made; exit 3\n"
        ),
    );
    let (mut person, child) = Person::at(&env, &["build", "--on-error=shell", "."]);
    assert!(person.until("here is a shell in it"), "{}", person.seen);
    // what is typed is echoed, so that the answer must not be in the question
    person.types("cat made; echo it-is-$COLOUR-in-$PWD-$((40+2)); [ -d /scratch ] && echo mounted-$((1+1)); exit 0");
    assert!(person.until("it-is-red-in-/job-42") && person.until("mounted-2"), "{}", person.seen);
    assert!(person.until("failed with exit code 3\r\n"), "{}", person.seen);
    while person.until("never to be seen") {}
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", person.seen);
    assert!(person.seen.contains("half done") && output.stdout.is_empty(), "{}", person.seen);
    assert!(person.seen.contains("> 4 | RUN"), "the error follows: {}", person.seen);
}

#[test]
fn a_shell_needs_a_terminal() {
    let env = TestEnv::new();
    env.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    let output: Output = env.plim(["build", "--on-error=shell", "."]);
    env.check("on_error_no_terminal", &output.fails(2));
}

#[test]
fn an_image_without_a_shell_is_told_apart() {
    let env = TestEnv::new();
    if !shell_image(&env) {
        return;
    }
    env.write(
        "Dockerfile",
        format!("FROM {SHELL} AS tools\nFROM scratch\nCOPY --from=tools /etc /etc\nRUN [\"/bin/none\"]\n"),
    );
    let (mut person, mut child) = Person::at(&env, &["build", "--on-error=shell", "."]);
    assert!(person.until("has no shell to open"), "{}", person.seen);
    while person.until("never to be seen") {}
    assert_eq!(child.wait().unwrap().code(), Some(1), "{}", person.seen);
}
