//! The socket that a step sees.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, Uid};

use super::SshAgent;

/// The most connections of a step at once.
const MOST_CONNECTIONS: usize = 64;

/// How long a connection waits that could not be taken, for want of file descriptors for instance.
const TAKEN_AGAIN: Duration = Duration::from_millis(50);

/// A socket that listens for as long as this value lives.
#[derive(Debug)]
pub(crate) struct AgentSocket {
    path: PathBuf,
    /// Closing it wakes and ends the listener.
    alive: Option<OwnedFd>,
    listener: Option<JoinHandle<()>>,
}

impl AgentSocket {
    /// Listens on a new socket in a directory.
    pub(crate) fn open(agent: Arc<SshAgent>, dir: &Path, name: &str, mode: u32, owner: (u32, u32)) -> io::Result<Self> {
        let path = dir.join(name);
        // an earlier attempt may have left one
        let _ = std::fs::remove_file(&path);
        // the kernel takes no long paths (108 bytes): by way of the directory it is short
        let directory =
            rustix::fs::openat(CWD, dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let short = format!("/proc/self/fd/{}/{name}", std::os::fd::AsRawFd::as_raw_fd(&directory));
        let socket = UnixListener::bind(short)?;
        socket.set_nonblocking(true)?;
        rustix::fs::chownat(
            &directory,
            name,
            Some(Uid::from_raw(owner.0)),
            Some(Gid::from_raw(owner.1)),
            AtFlags::SYMLINK_NOFOLLOW,
        )?;
        rustix::fs::chmodat(&directory, name, Mode::from_raw_mode(mode & 0o777), AtFlags::empty())?;
        let (watched, alive) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let listen = move || listen(&agent, &socket, &watched);
        let listener = std::thread::Builder::new().name("plim-ssh-agent".to_owned()).spawn(listen)?;
        Ok(Self { path, alive: Some(alive), listener: Some(listener) })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for AgentSocket {
    fn drop(&mut self) {
        drop(self.alive.take());
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

fn listen(agent: &Arc<SshAgent>, socket: &UnixListener, watched: &OwnedFd) {
    let count = Arc::new(AtomicUsize::new(0));
    loop {
        let mut fds = [PollFd::new(socket, PollFlags::IN), PollFd::new(watched, PollFlags::IN)];
        match rustix::event::poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
        if !fds[1].revents().is_empty() {
            return;
        }
        let stream = match socket.accept() {
            Ok((stream, _)) => stream,
            Err(error) => {
                if error.kind() != io::ErrorKind::WouldBlock {
                    tracing::debug!(%error, "failed to accept a step's connection to the agent");
                    // it is still there to be taken: nothing would slow this down
                    std::thread::sleep(TAKEN_AGAIN);
                }
                continue;
            }
        };
        if count.fetch_add(1, Ordering::Relaxed) >= MOST_CONNECTIONS {
            count.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let (agent, theirs) = (Arc::clone(agent), Arc::clone(&count));
        // it ends with the connection, at the latest when the step's processes do
        let serve = move || {
            if let Err(error) = serve(&agent, stream) {
                tracing::debug!(%error, "a step's connection to the agent broke");
            }
            theirs.fetch_sub(1, Ordering::Relaxed);
        };
        if std::thread::Builder::new().name("plim-ssh-agent".to_owned()).spawn(serve).is_err() {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn serve(agent: &SshAgent, stream: UnixStream) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(stream.as_fd())?;
    rustix::fs::fcntl_setfl(stream.as_fd(), flags - OFlags::NONBLOCK)?;
    agent.0.serve(stream)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::ssh::protocol;

    /// An agent that answers everything and counts what it is asked.
    fn fake(path: &Path) -> Arc<AtomicUsize> {
        let asked = Arc::new(AtomicUsize::new(0));
        let (count, listener) = (Arc::clone(&asked), UnixListener::bind(path).unwrap());
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                while let Ok(Some(question)) = protocol::read(&mut stream) {
                    count.fetch_add(1, Ordering::Relaxed);
                    protocol::write(&mut stream, &[question[0] + 1]).unwrap();
                }
            }
        });
        asked
    }

    fn ask(stream: &mut UnixStream, message: &[u8]) -> Vec<u8> {
        protocol::write(stream, message).unwrap();
        protocol::read(stream).unwrap().unwrap()
    }

    #[test]
    fn an_agent_is_asked_for_identities_and_signatures_only() {
        let dir = tempfile::tempdir().unwrap();
        let asked = fake(&dir.path().join("agent"));
        let agent = Arc::new(SshAgent::open(&[dir.path().join("agent")]).unwrap());
        // a path that no socket could have
        let deep = dir.path().join("d".repeat(100)).join("e".repeat(100));
        std::fs::create_dir_all(&deep).unwrap();
        let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let socket = AgentSocket::open(agent, &deep, "0", 0o620, own).unwrap();
        assert_eq!(std::fs::metadata(socket.path()).unwrap().permissions().mode() & 0o7777, 0o620);
        std::os::unix::fs::symlink(&deep, dir.path().join("short")).unwrap();
        let mut stream = UnixStream::connect(dir.path().join("short/0")).unwrap();
        assert_eq!(ask(&mut stream, &[11]), [12]);
        // remove all keys
        assert_eq!(ask(&mut stream, &[19]), protocol::failure());
        assert_eq!(ask(&mut stream, &[13, 1, 2]), [14]);
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        let path = socket.path().to_owned();
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn a_socket_stands_alone() {
        let dir = tempfile::tempdir().unwrap();
        let _listener = UnixListener::bind(dir.path().join("agent")).unwrap();
        std::fs::write(dir.path().join("key"), "x").unwrap();
        let paths = ["agent", "key"].map(|name| dir.path().join(name));
        let error = SshAgent::open(&paths).unwrap_err();
        assert!(error.to_string().contains("cannot be joined") && error.hint().is_some());
        let error = SshAgent::open(&paths[1..]).unwrap_err();
        assert!(error.to_string().contains("malformed"), "{error}");
    }

    #[test]
    fn the_socket_of_an_agent_that_ended_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent");
        drop(UnixListener::bind(&path).unwrap());
        let error = SshAgent::open(std::slice::from_ref(&path)).unwrap_err();
        assert!(error.to_string().starts_with("no agent answers at "), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("ssh-agent") && hint.contains("ssh-add")));
        assert!(std::error::Error::source(&error).is_some());
    }

    /// Runs one of OpenSSH's programs with an agent; `None` where there is none.
    fn openssh(socket: &Path, program: &str, args: &[&str]) -> Option<(bool, String)> {
        let output = std::process::Command::new(program)
            .args(args)
            .env("SSH_AUTH_SOCK", socket)
            .stdin(std::process::Stdio::null())
            .output()
            .ok()?;
        Some((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
    }

    fn keys(dir: &Path) -> Option<Vec<PathBuf>> {
        let kinds = [["ed25519", "256"], ["ecdsa", "384"], ["rsa", "2048"]];
        let make = |[kind, bits]: [&str; 2]| {
            let path = dir.join(kind);
            let args = ["-q", "-N", "", "-t", kind, "-b", bits, "-f", path.to_str().unwrap()];
            openssh(dir, "ssh-keygen", &args).filter(|(made, _)| *made).map(|_| path.clone())
        };
        kinds.into_iter().map(make).collect()
    }

    #[test]
    fn openssh_lists_and_tests_keys_from_files() {
        let dir = tempfile::tempdir().unwrap();
        let Some(keys) = keys(dir.path()) else { return };
        let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let agent = Arc::new(SshAgent::open(&keys).unwrap());
        let socket = AgentSocket::open(agent, dir.path(), "socket", 0o600, own).unwrap();
        let (good, listed) = openssh(socket.path(), "ssh-add", &["-L"]).unwrap();
        assert!(good && listed.lines().count() == 3, "{listed}");
        let text = dir.path().join("text");
        for key in &keys {
            // a public half alone, so that only the agent can sign; RSA is asked for SHA-2 here, by `ssh-add -T` for SHA-1
            let public = dir.path().join("alone.pub");
            std::fs::copy(format!("{}.pub", key.display()), &public).unwrap();
            std::fs::write(&text, "text").unwrap();
            let _ = std::fs::remove_file(dir.path().join("text.sig"));
            let (public, text) = (public.to_str().unwrap(), text.to_str().unwrap());
            let sign = ["-q", "-Y", "sign", "-f", public, "-n", "test", text];
            assert!(openssh(socket.path(), "ssh-keygen", &sign).unwrap().0, "{key:?}");
            let signature = format!("{text}.sig");
            let verified = std::process::Command::new("ssh-keygen")
                .args(["-q", "-Y", "check-novalidate", "-n", "test", "-s", &signature])
                .stdin(std::fs::File::open(text).unwrap())
                .status()
                .unwrap();
            assert!(verified.success(), "{key:?}");
        }
        assert!(!openssh(socket.path(), "ssh-add", &["-D"]).unwrap().0);
    }

    #[test]
    fn a_real_agent_is_used_and_cannot_be_emptied() {
        let dir = tempfile::tempdir().unwrap();
        let Some(keys) = keys(dir.path()) else { return };
        let path = dir.path().join("agent");
        let Ok(mut real) = std::process::Command::new("ssh-agent")
            .args(["-D", "-a", path.to_str().unwrap()])
            .stdout(std::process::Stdio::null())
            .spawn()
        else {
            return;
        };
        while !path.exists() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let key = keys[0].to_str().unwrap();
        let added = openssh(&path, "ssh-add", &[key]).unwrap().0;
        let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let agent = Arc::new(SshAgent::open(std::slice::from_ref(&path)).unwrap());
        let socket = AgentSocket::open(agent, dir.path(), "socket", 0o600, own).unwrap();
        let tested = openssh(socket.path(), "ssh-add", &["-T", &format!("{key}.pub")]).unwrap().0;
        let emptied = openssh(socket.path(), "ssh-add", &["-D"]).unwrap().0;
        let left = openssh(&path, "ssh-add", &["-L"]).unwrap().1;
        real.kill().unwrap();
        real.wait().unwrap();
        assert!(added && tested && !emptied, "added {added}, tested {tested}, emptied {emptied}");
        assert_eq!(left.lines().count(), 1);
    }
}
