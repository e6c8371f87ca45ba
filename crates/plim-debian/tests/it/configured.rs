//! Recipes whose programs run: in a plain `chroot` here, which only root may do.

use std::path::Path;
use std::process::{Command, Output};

use plim_debian::Level;
use plim_oci::Silent;

use crate::real::{archive, listing, plan};

/// Says whether this machine can run the programs of a level; prints why not.
fn can_run() -> bool {
    let able = rustix::process::geteuid().is_root()
        && Command::new("unshare")
            .args(["--mount", "--pid", "--fork", "true"])
            .status()
            .is_ok_and(|status| status.success());
    if !able {
        println!("skipped: only root with unshare(1) can run the programs of a recipe here");
    }
    able
}

/// Runs a program in a root directory with `/proc` and `/dev`.
fn run(root: &Path, network: bool, env: &[String], args: &[&str]) -> Output {
    let script = r#"mount -t proc proc "$0/proc" && mount --bind /dev "$0/dev" && exec chroot "$0" "$@""#;
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork"]);
    if !network {
        command.arg("--net");
    }
    command.args(["sh", "-c", script]).arg(root).args(args);
    command.env_clear().envs(env.iter().filter_map(|variable| variable.split_once('=')));
    command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    command.output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn make(level: &Level, dir: &Path) {
    level.unpack(dir, &[], &Silent).unwrap();
    for step in level.steps().unwrap() {
        let args: Vec<&str> = step.args.iter().map(String::as_str).collect();
        let output = run(dir, false, &step.env, &args);
        assert!(output.status.success(), "{}: {}", step.title, text(&output));
    }
    level.finish(dir).unwrap();
}

#[test]
fn debian_slim_is_a_system_in_which_apt_works_and_the_same_every_time() {
    let Some(archive) = archive().filter(|_| can_run()) else { return };
    let plan = plan(&archive, "debian-slim");
    plan.fetch(&Silent).unwrap();
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    make(&plan.levels()[0], one.path());
    make(&plan.levels()[0], two.path());
    let (first, second) = (listing(one.path()), listing(two.path()));
    let differs: Vec<_> = first.lines().zip(second.lines()).filter(|(a, b)| a != b).take(5).collect();
    assert!(first == second, "{differs:#?}");
    let status = std::fs::read_to_string(one.path().join("var/lib/dpkg/status")).unwrap();
    assert_eq!(status.matches("Status: install ok installed").count(), plan.packages().count());
    assert!(!status.contains("newconffile"));
    let audit = run(one.path(), false, &[], &["dpkg", "--audit"]);
    assert_eq!(text(&audit), "");
    std::fs::copy("/etc/resolv.conf", one.path().join("etc/resolv.conf")).unwrap();
    let install = "apt-get update && apt-get install -y --no-install-recommends hello && hello";
    let output = run(one.path(), true, &["DEBIAN_FRONTEND=noninteractive".to_owned()], &["sh", "-c", install]);
    assert!(output.status.success() && text(&output).contains("Hello, world!"), "{}", text(&output));
}

#[test]
fn python3_has_its_library_compiled_and_no_shell() {
    let Some(archive) = archive().filter(|_| can_run()) else { return };
    let plan = plan(&archive, "python3");
    plan.fetch(&Silent).unwrap();
    let dir = tempfile::tempdir().unwrap();
    for level in plan.levels() {
        make(level, dir.path());
    }
    let program = "import asyncio, bz2, ctypes.util, curses, decimal, lzma, readline, sqlite3, ssl, sys, uuid, venv, zoneinfo\n\
         assert ctypes.util.find_library('c') == 'libc.so.6'\n\
         assert '/usr/local/lib/python3.13/dist-packages' in sys.path\n\
         zoneinfo.ZoneInfo('US/Pacific')\n\
         print(len(ssl.create_default_context().get_ca_certs()), ssl.__cached__)";
    let env = ["SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt".to_owned(), "LANG=C.UTF-8".to_owned()];
    let output = run(dir.path(), false, &env, &["/usr/local/bin/python", "-B", "-v", "-c", program]);
    assert!(output.status.success(), "{}", text(&output));
    // with -v each module tells whether its compiled form was taken
    assert!(text(&output).contains("__pycache__/ssl.cpython-313.pyc matches"), "{}", text(&output));
    assert!(!text(&output).contains("code object from /"), "{}", text(&output));
    for program in ["sh", "bash", "dash", "busybox", "apt-get", "dpkg", "pip"] {
        assert!(!dir.path().join("usr/bin").join(program).exists(), "{program}");
    }
    assert!(dir.path().join("var/lib/dpkg/status.d/python3.13-minimal").is_file());
}
