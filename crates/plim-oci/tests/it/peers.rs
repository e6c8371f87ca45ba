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

/// Debian's docker-registry on a free loopback port; ended when dropped.
struct Distribution {
    process: std::process::Child,
    address: String,
    _dir: tempfile::TempDir,
}

impl Distribution {
    /// Starts it; `None`, said aloud, where it is not installed.
    fn start() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        // the port is free a moment later, too, as nobody else asks for one
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let storage = dir.path().join("storage");
        let config = dir.path().join("config.yml");
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}, delete: {{enabled: true}}}}\n\
             http: {{addr: '{address}'}}\n",
            storage.display()
        );
        std::fs::write(&config, text).unwrap();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let started = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        let Ok(process) = started else {
            eprintln!("skipped: docker-registry is not installed");
            return None;
        };
        let registry = Self { process, address, _dir: dir };
        for _ in 0..200 {
            if std::net::TcpStream::connect(&registry.address).is_ok() {
                return Some(registry);
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("docker-registry does not listen");
    }
}

impl Drop for Distribution {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn distribution_takes_and_gives_images_and_skopeo_reads_them() {
    use plim_oci::copy::{Options, copy};
    use plim_oci::registry::{Credentials, Registries, Settings};

    let Some(registry) = Distribution::start() else { return };
    let registries =
        Registries::new(plim_oci::http::ClientOptions::default(), Settings::default(), Credentials::default());
    let repository =
        |name: &str| registries.repository(&format!("{}/{name}", registry.address).parse().unwrap()).unwrap();
    let layout = TempLayout::new();
    let written = image().compression(Compression::Gzip(6)).write_as(&layout, "x");
    let root = &written.descriptor;
    let options = Options { referrers: true, ..Options::default() };
    let app = repository("fleet/app");
    copy(&*layout, &app, root, options, &plim_oci::Silent).unwrap();
    plim_oci::BlobsMut::tag(&app, "v1", root).unwrap();
    assert_eq!(app.tags().unwrap(), ["v1"]);
    assert_eq!(app.resolve("v1").unwrap().digest, root.digest);

    // blobs are mounted, not sent
    let other = repository("harbour/app");
    let report = copy(&app, &other, root, options, &plim_oci::Silent).unwrap();
    assert_eq!((report.adopted, report.copied), (3, 1));
    plim_oci::BlobsMut::tag(&other, "v1", root).unwrap();

    let back = TempLayout::new();
    copy(&other, &*back, root, options, &plim_oci::Silent).unwrap();
    plim_oci::BlobsMut::tag(&*back, "v", root).unwrap();
    same_content(&back, &written);

    let address = format!("docker://{}/harbour/app:v1", registry.address);
    let copied = layout.dir().join("by-skopeo");
    let target = format!("oci:{}:v", copied.display());
    if run("skopeo", &["copy", "--quiet", "--src-tls-verify=false", &address, &target]).is_some() {
        same_content(&Layout::open(&copied).unwrap(), &written);
    }
    // and the other way round
    let source = format!("oci:{}:x", layout.root().display());
    let address = format!("docker://{}/skopeo/app:v1", registry.address);
    if run("skopeo", &["copy", "--quiet", "--dest-tls-verify=false", &source, &address]).is_some() {
        let by_skopeo = repository("skopeo/app");
        let found = by_skopeo.resolve("v1").unwrap();
        assert_eq!(found.digest, root.digest);
        copy(&by_skopeo, &*TempLayout::new(), &found, options, &plim_oci::Silent).unwrap();
    }
    let mut repositories = registries.catalog(&registry.address).unwrap();
    repositories.sort();
    assert!(repositories.starts_with(&["fleet/app".to_owned(), "harbour/app".to_owned()]), "{repositories:?}");
    app.delete(root).unwrap();
    assert!(app.resolve("v1").is_err());
}
