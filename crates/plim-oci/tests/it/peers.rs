//! What plim writes, read by other people's tools, where they are installed.

use std::path::Path;
use std::process::Command;

use plim_oci::archive::{Archive, write_docker, write_oci};
use plim_oci::{Blobs, Compression, EntryHead, EntryKind, Layout, Platform, read};
use plim_testkit::{ImageBuilder, LayerBuilder, TempLayout};

/// Runs a tool and returns its output; `None`, said aloud, where it is not installed. Whatever it says on
/// standard error counts as a complaint.
fn run(tool: &str, arguments: &[&str]) -> Option<String> {
    let Ok(output) = Command::new(tool).args(arguments).output() else {
        eprintln!("skipped: {tool} is not installed");
        return None;
    };
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {arguments:?}: {complaints}");
    assert_eq!(complaints, "", "{tool} {arguments:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

fn image() -> ImageBuilder {
    let mut odd = EntryHead::new("data/".to_owned() + &"long-name-".repeat(20), EntryKind::File, 0o640);
    odd.mtime = 1_700_000_000;
    odd.xattrs.insert("user.note".into(), "value".into());
    ImageBuilder::new()
        .layer(LayerBuilder::new().dir("").dir("data").entry(odd, "odd").file("data/b", vec![7; 3 << 20]))
        .layer(
            LayerBuilder::new().whiteout("data/b").symlink("link", "data").file("one", "same").hardlink("two", "one"),
        )
        .config(|config| config.env.push("A=b".to_owned()))
}

#[test]
fn skopeo_reads_the_store_and_the_archives() {
    for compression in [Compression::None, Compression::Gzip(6), Compression::Zstd(3)] {
        let layout = TempLayout::new();
        let name = "docker.io/library/x:1";
        let written = image().compression(compression).write_as(&layout, name);
        let root = layout.root().display();
        let digest = written.descriptor.digest.as_str();
        let Some(text) = run("skopeo", &["inspect", &format!("oci:{root}:{name}")]) else { return };
        assert!(text.contains(digest), "{text}");

        let docker = layout.dir().join("docker.tar");
        let names = [name.parse().unwrap()];
        write_docker(&*layout, &written, &names, &mut std::fs::File::create(&docker).unwrap()).unwrap();
        let copied = layout.dir().join("copied");
        let arguments = [
            "copy",
            "--quiet",
            &format!("docker-archive:{}", docker.display()),
            &format!("oci:{}:v", copied.display()),
        ];
        run("skopeo", &arguments).unwrap();
        same_content(&Layout::open(&copied).unwrap(), &written);

        let oci = layout.dir().join("oci.tar");
        write_oci(&*layout, &written.descriptor, Some("v1"), &mut std::fs::File::create(&oci).unwrap()).unwrap();
        let text = run("skopeo", &["inspect", &format!("oci-archive:{}:v1", oci.display())]).unwrap();
        assert!(text.contains(digest), "{text}");
    }
}

#[test]
fn archives_of_skopeo_are_read() {
    let layout = TempLayout::new();
    let written = image().write_as(&layout, "v1");
    for kind in ["docker-archive", "oci-archive"] {
        let file = layout.dir().join(kind);
        let target = format!("{kind}:{}:docker.io/library/x:2", file.display());
        let arguments = ["copy", "--quiet", &format!("oci:{}:v1", layout.root().display()), &target];
        if run("skopeo", &arguments).is_none() {
            return;
        }
        let archive = Archive::open(&file).unwrap();
        let found = archive.resolve("docker.io/library/x:2").unwrap();
        let read = read::image(&archive, &found, &Platform::new("linux", "amd64")).unwrap();
        let ids = |image: &plim_oci::Image| image.layers.iter().map(|layer| layer.diff_id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&read), ids(&written));
        assert!(archive.exists(&read.layers[0].descriptor).unwrap());
    }
}

#[test]
fn umoci_unpacks_the_layers() {
    let layout = TempLayout::new();
    image().write_as(&layout, "v1");
    let bundle = layout.dir().join("bundle");
    let target = format!("{}:v1", layout.root().display());
    let arguments = ["--log=error", "unpack", "--rootless", "--image", &target, &bundle.display().to_string()];
    if run("umoci", &arguments).is_none() {
        return;
    }
    let root = bundle.join("rootfs");
    assert!(!root.join("data/b").exists());
    assert_eq!(std::fs::read(root.join("two")).unwrap(), b"same");
    assert_eq!(std::fs::read_link(root.join("link")).unwrap(), Path::new("data"));
    assert_eq!(std::fs::read(root.join("data").join("long-name-".repeat(20))).unwrap(), b"odd");
}

fn same_content(layout: &Layout, image: &plim_oci::Image) {
    let read = read::image(layout, &layout.resolve("v").unwrap(), &Platform::new("linux", "amd64")).unwrap();
    let ids: Vec<_> = read.config.rootfs.diff_ids;
    assert_eq!(ids, image.config.rootfs.diff_ids);
}
