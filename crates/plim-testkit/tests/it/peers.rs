//! The registry, as another client sees it, where that is installed.

use std::path::Path;
use std::process::Command;

use plim_testkit::registry::{Auth, Registry, Switches};
use plim_testkit::{ImageBuilder, LayerBuilder, TempLayout};

/// Runs skopeo and returns its output; `None`, said aloud, where it is not installed.
fn skopeo(arguments: &[&str]) -> Option<String> {
    let Ok(output) = Command::new("skopeo").args(arguments).output() else {
        eprintln!("skipped: skopeo is not installed");
        return None;
    };
    assert!(output.status.success(), "skopeo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

fn blob(layout: &Path, digest: &plim_oci::Digest) -> Vec<u8> {
    std::fs::read(layout.join("blobs/sha256").join(digest.hex())).unwrap()
}

#[test]
fn skopeo_copies_an_image_there_and_back() {
    let token = |anonymous_pull| Auth::Token {
        user: "user".to_owned(),
        password: "secret".to_owned(),
        anonymous_pull,
        expires_seconds: 300,
    };
    let basic = Auth::Basic { user: "user".to_owned(), password: "secret".to_owned() };
    let layout = TempLayout::new();
    let image = ImageBuilder::new()
        .layer(LayerBuilder::new().dir("data").file("data/a", vec![7; 3 << 20]))
        .layer(LayerBuilder::new().file("b", "small"))
        .write_as(&layout, "v1");
    for (auth, redirect_blobs) in [(Auth::None, false), (basic, false), (token(false), true), (token(true), false)] {
        let plain = auth == Auth::None;
        let registry = Registry::with(Switches { auth, redirect_blobs, page: Some(1), ..Switches::default() });
        let remote = format!("docker://{}/team/app:v1", registry.address());
        let source = format!("oci:{}:v1", layout.root().display());
        let creds = |side: &str| if plain { Vec::new() } else { vec![format!("--{side}creds=user:secret")] };
        let run = |verb: &str, side: &str, more: &[&str]| {
            let mut arguments = vec![verb.to_owned(), format!("--{side}tls-verify=false")];
            arguments.extend(creds(side));
            arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
            skopeo(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
        };
        if run("copy", "dest-", &["--preserve-digests", &source, &remote]).is_none() {
            return;
        }
        assert_eq!(registry.tags("team/app"), ["v1"]);
        let kept = registry.manifest("team/app", "v1").unwrap();
        assert_eq!(kept.1, blob(layout.root(), &image.descriptor.digest));
        let copied = layout.dir().join(format!("copied-{plain}-{redirect_blobs}-{}", registry.requests().len()));
        let target = format!("oci:{}:v1", copied.display());
        run("copy", "src-", &["--preserve-digests", &remote, &target]).unwrap();
        let layers = image.layers.iter().map(|layer| &layer.descriptor.digest);
        for digest in layers.chain([&image.descriptor.digest]) {
            assert_eq!(blob(&copied, digest), blob(layout.root(), digest));
        }
        let tags = run("list-tags", "", &[&format!("docker://{}/team/app", registry.address())]).unwrap();
        assert!(tags.contains("\"v1\""), "{tags}");
        run("delete", "", &[&remote]).unwrap();
        assert!(registry.tags("team/app").is_empty());
    }
}
