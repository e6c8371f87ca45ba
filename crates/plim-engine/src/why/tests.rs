//! Questions about images that are made in code.

use plim_oci::{Platform, Silent};
use plim_testkit::{ImageBuilder, LayerBuilder};

use super::*;
use crate::testing::TestWorkspace;

fn image(layers: &[LayerBuilder]) -> ImageBuilder {
    layers.iter().cloned().fold(ImageBuilder::new().platform(&Platform::host()), ImageBuilder::layer)
}

fn ask(workspace: &Workspace, what: &str) -> WhyReport {
    why(workspace, "shop:1", what, &Silent).unwrap()
}

fn layer() -> LayerBuilder {
    LayerBuilder::new()
}

#[test]
fn a_hidden_path_knows_who_has_it_and_who_hides_it() {
    let workspace = TestWorkspace::new();
    image(&[
        layer()
            .file("opt/src/a", vec![1; 500])
            .file("opt/src/b", vec![2; 300])
            .file("etc/x", "1")
            .created_by("COPY src"),
        layer().whiteout("opt/src").file("etc/x", "22").created_by("RUN rm"),
    ])
    .write_as(&workspace.store, "docker.io/library/shop:1");
    let report = ask(&workspace, "/opt/src");
    assert!(!report.present && report.layers.is_empty());
    let [copy] = &report.hidden[..] else { panic!("{report:#?}") };
    assert_eq!((copy.layer, copy.hidden_by, copy.bytes, copy.files), (1, 2, 800, 2));
    assert_eq!((copy.how.as_str(), copy.hidden_by_created.as_deref()), ("deleted", Some("RUN rm")));
    assert_eq!(ask(&workspace, "opt/src/a").hidden[0].bytes, 500);
    // a path that is there knows its older copies
    let report = ask(&workspace, "/etc/x");
    assert!(report.present);
    assert_eq!((report.layers[0].layer, report.hidden[0].layer, report.hidden[0].how.as_str()), (2, 1, "replaced"));
}

#[test]
fn links_are_followed_name_by_name() {
    let workspace = TestWorkspace::new();
    image(&[layer()
        .file("usr/lib/libz.so.1.3", "z")
        .symlink("usr/lib/libz.so.1", "libz.so.1.3")
        .symlink("usr/lib/libz.so", "../lib/libz.so.1")
        .symlink("lib", "usr/lib")
        .symlink("gone", "/nowhere")
        .symlink("round", "round")])
    .write_as(&workspace.store, "docker.io/library/shop:1");
    let report = ask(&workspace, "/lib/libz.so");
    assert_eq!(report.path, "/usr/lib/libz.so");
    assert_eq!(report.links, ["/usr/lib/libz.so.1", "/usr/lib/libz.so.1.3"]);
    assert_eq!(report.target.as_deref(), Some("/usr/lib/libz.so.1.3"));
    assert_eq!(ask(&workspace, "/gone").links, ["/nowhere (which is not there)"]);
    assert_eq!(ask(&workspace, "/round").links.len(), MAX_LINKS);
}

/// The smallest ELF program that needs libraries: a header, a load segment and a dynamic section (System V ABI, chapters 4
/// and 5).
fn elf(needed: &[&str]) -> Vec<u8> {
    let mut strings = vec![0_u8];
    let mut dynamic: Vec<u64> = Vec::new();
    for name in needed {
        dynamic.extend([1, strings.len() as u64]);
        strings.extend(name.as_bytes());
        strings.push(0);
    }
    let strings_at = 64 + 2 * 56;
    let dynamic_at = (strings_at + strings.len()).next_multiple_of(8);
    dynamic.extend([5, strings_at as u64, 10, strings.len() as u64, 0, 0]);
    let end = (dynamic_at + dynamic.len() * 8) as u64;
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    file.extend([3_u16, 62].iter().flat_map(|value| value.to_le_bytes()));
    file.extend(1_u32.to_le_bytes());
    file.extend([0_u64, 64, 0].iter().flat_map(|value| value.to_le_bytes()));
    file.extend(0_u32.to_le_bytes());
    file.extend([64_u16, 56, 2, 64, 0, 0].iter().flat_map(|value| value.to_le_bytes()));
    for (kind, at, size) in [(1_u32, 0, end), (2, dynamic_at as u64, (dynamic.len() * 8) as u64)] {
        file.extend([kind, 4].iter().flat_map(|value| value.to_le_bytes()));
        file.extend([at, at, at, size, size, 8].iter().flat_map(|value| value.to_le_bytes()));
    }
    file.extend(&strings);
    file.resize(dynamic_at, 0);
    file.extend(dynamic.iter().flat_map(|value| value.to_le_bytes()));
    file
}

#[test]
fn a_library_is_needed_by_way_of_others_from_the_start_command() {
    let workspace = TestWorkspace::new();
    image(&[layer()
        .executable("usr/local/bin/entry", "#!/usr/bin/env python\n")
        .executable("usr/bin/env", elf(&[]))
        .executable("usr/bin/python3", elf(&["libpy.so.3"]))
        .symlink("usr/bin/python", "python3")
        .file("opt/copy/libpy.so.3", elf(&[]))
        .file("usr/lib/x86_64-linux-gnu/libpy.so.3", elf(&["libssl.so.3"]))
        .file("usr/lib/x86_64-linux-gnu/libssl.so.3.1", elf(&[]))
        .symlink("usr/lib/x86_64-linux-gnu/libssl.so.3", "libssl.so.3.1")
        .file("usr/lib/unused.so", elf(&[]))])
    .config(|config| {
        config.entrypoint = Some(vec!["entry".to_owned()]);
        config.env = vec!["PATH=/usr/local/bin:/usr/bin".to_owned()];
    })
    .write_as(&workspace.store, "docker.io/library/shop:1");
    let way: Vec<(String, String)> = ask(&workspace, "/usr/lib/x86_64-linux-gnu/libssl.so.3")
        .needed_by
        .into_iter()
        .map(|need| (need.path, need.how))
        .collect();
    let pair = |path: &str, how: &str| (path.to_owned(), how.to_owned());
    assert_eq!(
        way,
        [
            pair("/usr/local/bin/entry", "start"),
            pair("/usr/bin/python3", "interpreter"),
            pair("/usr/lib/x86_64-linux-gnu/libpy.so.3", "library"),
            pair("/usr/lib/x86_64-linux-gnu/libssl.so.3.1", "library"),
        ]
    );
    assert!(ask(&workspace, "/usr/lib/unused.so").needed_by.is_empty());
}

#[test]
fn arguments_and_shell_texts_lead_to_files() {
    let workspace = TestWorkspace::new();
    let files = layer().executable("bin/sh", elf(&[])).executable("bin/node", elf(&[])).file("app/server.js", "x");
    image(&[files])
        .config(|config| {
            config.cmd = Some(["/bin/sh", "-c", "exec node server.js"].map(str::to_owned).to_vec());
            config.working_dir = "/app".to_owned();
        })
        .write_as(&workspace.store, "docker.io/library/shop:1");
    for (path, how) in [("/bin/sh", "start"), ("/bin/node", "argument"), ("/app/server.js", "argument")] {
        let way = ask(&workspace, path).needed_by;
        assert_eq!((way.len(), way[0].path.as_str(), way[0].how.as_str()), (1, path, how));
    }
}

fn python(name: &str, requires: &[&str]) -> LayerBuilder {
    let site = "usr/lib/python3.13/site-packages";
    let requires = requires.iter().map(|name| ["Requires-Dist: ", name, "\n"].concat()).collect::<String>();
    layer()
        .file(&format!("{site}/{name}-1.dist-info/METADATA"), format!("Name: {name}\nVersion: 1\n{requires}"))
        .file(&format!("{site}/{name}-1.dist-info/RECORD"), format!("{name}/x.py,,\n{name}/large.py,,\n"))
        .file(&format!("{site}/{name}/x.py"), "x")
        .file(&format!("{site}/{name}/large.py"), vec![b'x'; 900])
}

#[test]
fn a_package_is_found_by_its_name_and_knows_how_it_came() {
    let workspace = TestWorkspace::new();
    image(&[
        python("markupsafe", &[]),
        python("jinja2", &["MarkupSafe>=2", "babel; extra == 'i18n'"]),
        python("flask", &["Jinja2"]),
        python("babel", &[]),
    ])
    .write_as(&workspace.store, "docker.io/library/shop:1");
    for name in ["markupsafe", "pkg:markupsafe", "pkg:python/markupsafe"] {
        let report = ask(&workspace, name);
        assert_eq!((report.path.as_str(), report.package.as_deref()), ("markupsafe (python)", Some("markupsafe 1")));
        assert_eq!(report.package_needed_by, ["jinja2"]);
        assert_eq!(report.package_chain, ["flask", "jinja2", "markupsafe"]);
        assert_eq!(report.matches[0].path, "/usr/lib/python3.13/site-packages/markupsafe/large.py");
        assert_eq!((report.layers.len(), report.layers[0].layer), (1, 1));
        assert!(report.bytes > 900);
    }
    // an extra is not asked for
    assert!(ask(&workspace, "pkg:babel").package_needed_by.is_empty());
    assert!(why(&workspace, "shop:1", "pkg:none", &Silent).is_err());
}

#[test]
fn patterns_stand_for_files() {
    let workspace = TestWorkspace::new();
    image(&[
        layer().file("app/a.map", vec![0; 5]).file("app/lib/b.map", vec![0; 9]).file("app/[id].js", "x"),
        layer().file("app/c.js", "1"),
    ])
    .write_as(&workspace.store, "docker.io/library/shop:1");
    let report = ask(&workspace, "*.map");
    let paths: Vec<&str> = report.matches.iter().map(|found| found.path.as_str()).collect();
    assert_eq!((report.files, report.bytes, paths), (Some(2), 14, vec!["/app/lib/b.map", "/app/a.map"]));
    assert_eq!(ask(&workspace, "/app/*.map").files, Some(1));
    assert_eq!(ask(&workspace, "/app/**").files, Some(4));
    // a path wins over the pattern that it could be
    assert_eq!(ask(&workspace, "/app/[id].js").matches.len(), 0);
    let failure = why(&workspace, "shop:1", "/app/[", &Silent).unwrap_err();
    assert!(failure.hint.is_some(), "{failure:?}");
    assert_eq!(why(&workspace, "shop:1", "*.none", &Silent).unwrap_err().kind, crate::Kind::Subject);
}
