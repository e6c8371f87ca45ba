//! Images for tests: one of the host's own shell that can run commands, and one of plain files.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use plim_testkit::{ImageBuilder, LayerBuilder, TempLayout};

use crate::env::TestEnv;

/// The name that [`shell_image`] gives to its image.
pub(crate) const SHELL: &str = "test/shell:1";

/// Programs of the host that the shell image has.
const PROGRAMS: &[(&str, &[&str])] =
    &[("bin/sh", &["/bin/sh"]), ("bin/cat", &["/bin/cat", "/usr/bin/cat"]), ("bin/id", &["/bin/id", "/usr/bin/id"])];

/// Puts an image with the host's shell into the store, when this machine can execute it in a sandbox; otherwise says why
/// not and returns `false`, and the test should return.
pub(crate) fn shell_image(env: &TestEnv) -> bool {
    if let Err(why) = sandboxes() {
        skip(&why);
        return false;
    }
    let Some(layer) = shell_layer() else {
        skip("the host's shell or ldd cannot be read");
        return false;
    };
    let layout = TempLayout::new();
    ImageBuilder::new()
        .layer(layer.created_by("the host's shell"))
        .config(|config| {
            config.env = vec!["PATH=/bin".to_owned(), "GREETING=hello".to_owned()];
            config.cmd = Some(vec!["/bin/sh".to_owned(), "-c".to_owned(), "echo $GREETING from CMD".to_owned()]);
        })
        .write_as(&layout, "latest");
    let place = format!("oci:{}", layout.dir().join("store").display());
    env.plim(["copy", &place, SHELL]).good();
    true
}

/// Writes an OCI layout with an image of two layers and no program to `work/NAME`.
pub(crate) fn files_layout(env: &TestEnv, name: &str) {
    let image = ImageBuilder::new()
        .layer(
            LayerBuilder::new()
                .dir("etc")
                .file("etc/os-release", "ID=test\nVERSION_ID=\"1\"\nPRETTY_NAME=\"Test 1\"\n")
                .file("etc/gone", vec![b'x'; 5000])
                .executable("etc/run", "#!/bin/none\n")
                .created_by("COPY etc /etc"),
        )
        .layer(
            LayerBuilder::new()
                .dir("etc")
                .whiteout("etc/gone")
                .symlink("etc/link", "run")
                .created_by("RUN rm /etc/gone"),
        )
        .config(|config| {
            config.user = String::from("65532");
            config.entrypoint = Some(vec!["/etc/run".to_owned()]);
            config.labels.insert("org.example.kept".to_owned(), "yes".to_owned());
        });
    write_layout(env, name, &image);
}

/// Writes an OCI layout with an image to `work/NAME`.
pub(crate) fn write_layout(env: &TestEnv, name: &str, image: &ImageBuilder) {
    let layout = TempLayout::new();
    image.write_as(&layout, "latest");
    let target = env.work().join(name);
    std::fs::create_dir_all(target.parent().unwrap()).unwrap();
    // a rename could cross file systems
    let copied = Command::new("cp").arg("-r").arg(layout.dir().join("store")).arg(&target).status().unwrap();
    assert!(copied.success());
}

/// Says why a test does nothing.
#[expect(clippy::print_stderr, reason = "the test harness shows it beside the test that does nothing")]
pub(crate) fn skip(why: &str) {
    eprintln!("skipped: {why}");
}

/// Asks util-linux, not plim: where it may not make namespaces, plim may not either.
fn sandboxes() -> Result<(), String> {
    if std::env::consts::ARCH != "x86_64" {
        return Err("the test image is for amd64".to_owned());
    }
    let tries: [&[&str]; 2] = [&["-m", "-p", "-f", "true"], &["-U", "-r", "-m", "-p", "-f", "true"]];
    let mut why = String::new();
    for args in tries {
        match Command::new("unshare").args(args).output() {
            Ok(output) if output.status.success() => return Ok(()),
            Ok(output) => why = String::from(String::from_utf8_lossy(&output.stderr).trim()),
            Err(error) => why = format!("there is no unshare: {error}"),
        }
    }
    Err(format!("this machine lets nobody make namespaces: {why}"))
}

/// The programs with the libraries that `ldd` names, each under its own path.
fn shell_layer() -> Option<LayerBuilder> {
    let mut layer = LayerBuilder::new().dir("bin").dir("etc").dir("tmp");
    layer = layer.file("etc/passwd", "root:x:0:0::/:/bin/sh\n").file("etc/group", "root:x:0:\n");
    let mut libraries = BTreeSet::new();
    for (target, sources) in PROGRAMS {
        let source = sources.iter().find(|path| Path::new(path).exists())?;
        layer = layer.executable(target, std::fs::read(source).ok()?);
        let listed = Command::new("ldd").arg(source).output().ok()?;
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        libraries.extend(listed.split_whitespace().filter(|word| word.starts_with('/')).map(str::to_owned));
    }
    for library in libraries {
        layer = layer.executable(library.trim_start_matches('/'), std::fs::read(&library).ok()?);
    }
    Some(layer)
}
