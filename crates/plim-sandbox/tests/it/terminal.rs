//! A command on a terminal of its own, connected with another one, which plays the user's.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;

use plim_sandbox::{Terminal, run_on_terminal};
use rustix::pty::OpenptFlags;
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};

use crate::Case;
use crate::fixture::Fixture;

pub const CASES: &[Case] = &[
    ("terminal::a_shell_is_typed_into", a_shell_is_typed_into),
    ("terminal::what_is_no_terminal_is_refused", what_is_no_terminal_is_refused),
];

/// Both sides of a terminal: what a person has, and what programs have.
fn pair() -> (OwnedFd, OwnedFd) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let person = rustix::pty::openpt(flags).unwrap();
    rustix::pty::grantpt(&person).unwrap();
    rustix::pty::unlockpt(&person).unwrap();
    let program = rustix::pty::ioctl_tiocgptpeer(&person, flags).unwrap();
    (person, program)
}

fn a_shell_is_typed_into(fixture: &Fixture) {
    let (person, program) = pair();
    tcsetwinsize(&program, Winsize { ws_row: 33, ws_col: 77, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let before = tcgetattr(&program).unwrap();
    let terminal = Terminal::new(&program, &program, Some("vt100".to_owned())).unwrap();
    // the trap stands before anything is said: the first process of a container gets no signal that it does not handle, and
    // an interrupt that comes too early would be waited for without end
    let script = "trap 'echo trapped; exit 7' INT; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo all-three; echo term=$TERM; \
                  : </dev/tty && echo own; read line; echo got-$line; while :; do read line; done";
    let spec = fixture.spec(&fixture.layer(), script);
    // while the person is there, the terminal is
    let (mut reader, mut writer) = (File::from(person.try_clone().unwrap()), File::from(person.try_clone().unwrap()));
    let talk = std::thread::spawn(move || {
        let mut seen = String::new();
        let mut chunk = [0; 1024];
        let mut until = |text: &str| {
            while !seen.contains(text) {
                let count = reader.read(&mut chunk).unwrap();
                seen.push_str(&String::from_utf8_lossy(&chunk[..count]));
            }
            seen.clone()
        };
        until("own");
        writer.write_all(b"hello\r").unwrap();
        until("got-hello");
        // Ctrl-C is a key like any other to the outer terminal, and a signal to the inner one
        writer.write_all(&[3]).unwrap();
        until("trapped")
    });
    let exit = run_on_terminal(&spec, &terminal, &|| false).unwrap();
    let seen = talk.join().unwrap();
    assert_eq!(exit.code, 7, "{seen}");
    assert!(seen.contains("all-three") && seen.contains("term=vt100"), "{seen}");
    let after = tcgetattr(&program).unwrap();
    assert_eq!((after.local_modes, after.input_modes), (before.local_modes, before.input_modes));
}

fn what_is_no_terminal_is_refused(_fixture: &Fixture) {
    let null = File::open("/dev/null").unwrap();
    let (_person, program) = pair();
    assert!(Terminal::new(&null, &program, None).is_err());
    assert!(Terminal::new(&program, &null, None).is_err());
}
