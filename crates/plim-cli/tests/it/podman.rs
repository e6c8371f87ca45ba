//! Podman itself, in folders of its own: no daemon, no configuration and no image of the machine is touched.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use plim_testkit::tools;

use crate::env::{Output, TestEnv};
use crate::rootfs::files_layout;

/// A service that ends with the test.
struct Podman {
    dir: PathBuf,
    service: Child,
}

impl Drop for Podman {
    fn drop(&mut self) {
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}

impl Podman {
    /// Starts a service; nothing, with a note, where Podman is not installed or refuses to run.
    fn start(env: &TestEnv) -> Option<Self> {
        let dir = env.path("podman");
        std::fs::create_dir(&dir).unwrap();
        tools::done("podman", command(&dir).args(["info", "--format", "{{.Version.Version}}"]))?;
        let socket = dir.join("podman.sock");
        let address = format!("unix://{}", socket.display());
        let service = command(&dir)
            .args(["system", "service", "--time", "0", &address])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let podman = Self { dir, service };
        let began = Instant::now();
        while !socket.exists() {
            assert!(began.elapsed() < Duration::from_mins(1), "Podman does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(podman)
    }

    /// What Podman itself says.
    fn says(&self, args: &[&str]) -> String {
        let output = command(&self.dir).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Runs plim with the service in reach.
    fn plim<const N: usize>(&self, env: &TestEnv, args: [&str; N]) -> Output {
        let mut command = env.command(args);
        command.env("CONTAINER_HOST", format!("unix://{}/podman.sock", self.dir.display()));
        Output::of(command)
    }
}

/// Podman with storage, configuration and temporary files below a folder.
fn command(dir: &std::path::Path) -> Command {
    let mut command = Command::new("podman");
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", dir)
        .env("XDG_RUNTIME_DIR", dir)
        .env("TMPDIR", dir)
        .arg("--root")
        .arg(dir.join("storage"))
        .arg("--runroot")
        .arg(dir.join("run"))
        // drivers of the kernel may be refused inside a container
        .args(["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "file"]);
    command
}

#[test]
fn images_go_to_podman_and_come_back_as_they_were() {
    let env = TestEnv::new();
    let Some(podman) = Podman::start(&env) else { return };
    files_layout(&env, "in");
    podman.plim(&env, ["copy", "oci:in", "podman:localhost/shop:1"]).good();
    let before = env.plim(["inspect", "oci:in"]).json();

    // Podman calls an image by the digest of its configuration
    let configuration = env.plim(["inspect", "--raw", "oci:in"]).json()["config"]["digest"].clone();
    let id = podman.says(&["image", "inspect", "--format", "{{.Id}}", "localhost/shop:1"]);
    assert_eq!(format!("sha256:{id}"), configuration.as_str().unwrap());
    let user = podman.says(&["image", "inspect", "--format", "{{.Config.User}}", "localhost/shop:1"]);
    assert_eq!(user, "65532");

    // back under its full and its short name
    for (name, place) in [("podman:localhost/shop:1", "oci:full"), ("podman:shop:1", "oci:short")] {
        podman.plim(&env, ["copy", name, place]).good();
        let after = env.plim(["inspect", place]).json();
        assert_eq!(after["config"], before["config"], "{name}");
        let tars = |report: &serde_json::Value| -> Vec<serde_json::Value> {
            report["layers"].as_array().unwrap().iter().map(|layer| layer["diff_id"].clone()).collect()
        };
        assert_eq!(tars(&after), tars(&before), "{name}");
    }
    let report = podman.plim(&env, ["analyze", "-o", "json", "podman:shop:1"]).json();
    assert_eq!(report["hidden_bytes"], 5000);
    podman.plim(&env, ["load", "podman:shop:1"]).good();
    assert!(env.plim(["images"]).good().contains("shop:1"));

    let missing = podman.plim(&env, ["inspect", "podman:localhost/shop:9"]).fails(2);
    assert!(missing.stderr.contains("hint:"), "{missing}");
    assert_eq!(crate::env::files_below(&env.path("cache/scratch")).len(), 0, "nothing is left in the cache");
}
