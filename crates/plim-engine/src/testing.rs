//! A workspace that lives as long as its test.

use std::ops::Deref;

use camino::Utf8PathBuf;
use jiff::Timestamp;
use tempfile::TempDir;

use crate::isolation::Isolation;
use crate::{Config, Host, Sockets, Workspace};

/// An empty store and caches in a temporary directory, without a network.
pub(crate) struct TestWorkspace {
    workspace: Workspace,
    _dir: TempDir,
}

impl TestWorkspace {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().to_path_buf()).unwrap();
        let host = Host {
            data: root.join("data"),
            cache: root.join("cache"),
            apt: Vec::new(),
            ca_bundle: None,
            credentials: Vec::new(),
            certificate_dirs: Vec::new(),
            docker: Sockets::default(),
            podman: Sockets::default(),
            proxies: Vec::new(),
            offline: true,
            isolation: Isolation::default(),
            now: Timestamp::UNIX_EPOCH,
        };
        Self { workspace: Workspace::open(host, Config::default()).unwrap(), _dir: dir }
    }
}

impl Deref for TestWorkspace {
    type Target = Workspace;

    fn deref(&self) -> &Workspace {
        &self.workspace
    }
}
