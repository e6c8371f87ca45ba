//! Packages of programming languages in small images.

use plim_index::{Inventory, PackageKind};

use crate::build::{LayerBuilder, inventory};

fn manifest(name: &str, version: &str) -> String {
    format!(r#"{{"name":"{name}","version":"{version}","license":"MIT","dependencies":{{"left-pad":"^1.0"}}}}"#)
}

/// Names, versions and places of the packages of a kind.
fn found(inventory: &Inventory, kind: PackageKind) -> Vec<String> {
    let packages = inventory.packages.iter().filter(|package| package.kind == kind);
    packages.map(|package| format!("{} {} {}", package.name, package.version, package.location)).collect()
}

fn node_project() -> LayerBuilder {
    LayerBuilder::new()
        .file("app/package.json", manifest("app", "0.1.0"))
        .file("app/node_modules/.package-lock.json", "{}")
        .file("app/node_modules/a/package.json", manifest("a", "1.0.0"))
        .file("app/node_modules/a/lib/x.js", "xxxx")
        .file("app/node_modules/a/esm/package.json", r#"{"type":"module"}"#)
        .file("app/node_modules/a/vendored/package.json", manifest("vendored", "9.0.0"))
        .file("app/node_modules/a/test/node_modules/fake/package.json", manifest("fake", "9.0.0"))
        .file("app/node_modules/a/node_modules/@s/b/package.json", manifest("@s/b", "2.0.0"))
        .file("app/node_modules/a/node_modules/@s/b/b.js", "bb")
        .file("app/packages/w/package.json", manifest("w", "3.0.0"))
        .file("app/packages/w/w.js", "w")
        .file("app/packages/unlinked/package.json", manifest("unlinked", "3.0.0"))
        .symlink("app/node_modules/w", "../packages/w")
}

#[test]
fn node_packages_are_those_that_npm_counts() {
    let inventory = inventory(&[node_project()]);
    assert_eq!(
        found(&inventory, PackageKind::Npm),
        ["@s/b 2.0.0 app/node_modules/a/node_modules/@s/b", "a 1.0.0 app/node_modules/a", "w 3.0.0 app/packages/w"]
    );
    assert_eq!(inventory.packages[1].depends, ["left-pad ^1.0"]);
    assert_eq!(inventory.packages[1].licenses, ["MIT"]);
}

#[test]
fn a_node_package_owns_what_lies_below_it_but_not_below_a_deeper_one() {
    let inventory = inventory(&[node_project()]);
    let owner = |path: &str| inventory.owner_of(path).map(|package| package.name.as_str());
    assert_eq!(owner("app/node_modules/a/lib/x.js"), Some("a"));
    assert_eq!(owner("app/node_modules/a/test/node_modules/fake/package.json"), Some("a"));
    assert_eq!(owner("app/node_modules/a/node_modules/@s/b/b.js"), Some("@s/b"));
    assert_eq!(owner("app/node_modules/w/w.js"), Some("w"));
    assert_eq!(owner("app/package.json"), None);
    assert_eq!(owner("app/node_modules/.package-lock.json"), None);
    let sizes = inventory.size_by_owner();
    let b = inventory.packages[0].files.iter().map(|path| inventory.get(path).unwrap().head.size).sum::<u64>();
    assert_eq!(sizes.iter().find(|size| size.package == Some(0)).unwrap().bytes, b);
}

#[test]
fn a_node_package_that_is_replaced_or_deleted_in_a_later_layer_is_the_later_one() {
    let later = LayerBuilder::new()
        .file("app/node_modules/a/package.json", manifest("a", "1.0.1"))
        .file("app/node_modules/.wh.w", "")
        .file("app/node_modules/a/node_modules/.wh.@s", "");
    let inventory = inventory(&[node_project(), later]);
    assert_eq!(found(&inventory, PackageKind::Npm), ["a 1.0.1 app/node_modules/a"]);
    assert_eq!(inventory.packages[0].layer, 1);
}

#[test]
fn a_node_package_of_a_debian_package_is_within_it() {
    let layer = LayerBuilder::new()
        .file("usr/lib/node_modules/npm/package.json", manifest("npm", "11.0.0"))
        .file("usr/lib/node_modules/npm/x.js", "x")
        .file("var/lib/dpkg/status", "Package: nodejs\nStatus: install ok installed\nVersion: 24\n")
        .file("var/lib/dpkg/info/nodejs.list", "/usr/lib/node_modules/npm/package.json\n");
    let inventory = inventory(&[layer]);
    assert_eq!(inventory.packages[1].within, Some(0));
    assert_eq!(inventory.owner_of("usr/lib/node_modules/npm/package.json").unwrap().kind, PackageKind::Deb);
    assert_eq!(inventory.owner_of("usr/lib/node_modules/npm/x.js").unwrap().kind, PackageKind::Npm);
}

#[test]
fn a_gem_owns_its_directory_and_its_specification() {
    let home = "usr/lib/ruby/gems/3.3.0";
    let layer = LayerBuilder::new()
        .file(
            &format!("{home}/specifications/rake-13.2.1.gemspec"),
            "# stub: rake 13.2.1 ruby lib\ns.licenses = [\"MIT\".freeze]\n",
        )
        .file(&format!("{home}/specifications/default/json-2.9.gemspec"), "# stub: json 2.9 ruby lib\n")
        .file(&format!("{home}/gems/rake-13.2.1/lib/rake.rb"), "x")
        .file(&format!("{home}/gems/rake-13.2.1/rake.gemspec"), "Gem::Specification.new")
        .file(&format!("{home}/gems/json-2.9/exe/x"), "x");
    let inventory = inventory(&[layer]);
    let places = [
        format!("{home}/specifications/default/json-2.9.gemspec"),
        format!("{home}/specifications/rake-13.2.1.gemspec"),
    ];
    assert_eq!(
        found(&inventory, PackageKind::Gem),
        [format!("json 2.9 {}", places[0]), format!("rake 13.2.1 {}", places[1])]
    );
    assert_eq!(inventory.owner_of(format!("{home}/gems/rake-13.2.1/lib/rake.rb")).unwrap().name, "rake");
    assert_eq!(inventory.owner_of(format!("{home}/gems/json-2.9/exe/x")).unwrap().name, "json");
    assert_eq!(inventory.packages[1].licenses, ["MIT"]);
}

#[test]
fn alpine_packages_own_their_files_and_the_last_database_counts() {
    let first = LayerBuilder::new()
        .dir("usr/lib")
        .symlink("lib", "usr/lib")
        .file("usr/lib/apk/db/installed", "P:musl\nV:1\nA:x86_64\nF:lib\nR:ld.so\n\nP:gone\nV:1\n")
        .file("usr/lib/ld.so", "m");
    let second = LayerBuilder::new()
        .file("usr/lib/apk/db/installed", "P:musl\nV:1\nA:x86_64\nF:lib\nR:ld.so\n\nP:curl\nV:8\nA:x86_64\n");
    let inventory = inventory(&[first, second]);
    let rows: Vec<(&str, usize)> =
        inventory.packages.iter().map(|package| (package.name.as_str(), package.layer)).collect();
    assert_eq!(rows, [("curl", 1), ("musl", 0)]);
    assert_eq!(inventory.owner_of("lib/ld.so").unwrap().name, "musl");
}

/// Makes an ELF file with one section of a name, which is loaded to an address too.
fn program(section: &str, data: &[u8]) -> Vec<u8> {
    let names = format!("\0{section}\0");
    let (data_at, names_at) = (64 + 56, 64 + 56 + data.len() as u64);
    let sections_at = names_at + names.len() as u64;
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0".to_vec();
    file.extend([0, 64, sections_at].map(u64::to_le_bytes).concat());
    file.extend([0; 4]);
    file.extend([64_u16, 56, 1, 64, 3, 2].map(u16::to_le_bytes).concat());
    let size = data.len() as u64;
    file.extend([1_u32, 6].map(u32::to_le_bytes).concat());
    file.extend([data_at, 0x1000, 0x1000, size, size, 8].map(u64::to_le_bytes).concat());
    file.extend(data);
    file.extend(names.as_bytes());
    for (name, kind, at, size) in [(0, 0, 0, 0), (1_u32, 1_u32, data_at, size), (0, 3, names_at, names.len() as u64)] {
        file.extend([name, kind].map(u32::to_le_bytes).concat());
        file.extend([0, 0, at, size, 0, 0, 0].map(u64::to_le_bytes).concat());
    }
    file
}

#[test]
fn crates_of_a_rust_program_are_listed_and_the_program_belongs_to_its_own() {
    let text = br#"{"packages":[{"name":"app","version":"0.1.0","source":"local","dependencies":[1],"root":true},
        {"name":"serde","version":"1.0.1","source":"crates.io"},
        {"name":"cc","version":"1.2.0","source":"crates.io","kind":"build"}]}"#;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, text).unwrap();
    let layer = LayerBuilder::new().program("usr/bin/app", program(".dep-v0", &encoder.finish().unwrap()));
    let inventory = inventory(&[layer]);
    assert_eq!(found(&inventory, PackageKind::Cargo), ["app 0.1.0 usr/bin/app", "serde 1.0.1 usr/bin/app"]);
    assert_eq!(inventory.owner_of("usr/bin/app").unwrap().name, "app");
    assert_eq!(inventory.packages[0].depends, ["serde"]);
}

#[test]
fn modules_of_a_go_program_are_listed_and_what_replaces_them_counts() {
    let list = "0123456789abcdefpath\tx.org/app\nmod\tx.org/app\t(devel)\t\ndep\tx.org/old\tv1.0.0\n=>\tx.org/new\tv1.0.1\th1:x=\n0123456789abcdef";
    let header = b"\xff Go buildinf:\x08\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x08go1.24.1";
    let length = [(list.len() & 0x7f) as u8 | 0x80, (list.len() >> 7) as u8];
    for section in [".go.buildinfo", ".data"] {
        let mut file = program(section, &[&header[..], &length, list.as_bytes()].concat());
        if section == ".data" {
            // without its section table it is found in what the program may write to
            file[40..48].fill(0);
            file[60..64].fill(0);
        }
        let inventory = inventory(&[LayerBuilder::new().program("app", file)]);
        assert_eq!(
            found(&inventory, PackageKind::Go),
            ["stdlib 1.24.1 app", "x.org/app (devel) app", "x.org/new v1.0.1 app"]
        );
        assert_eq!(inventory.owner_of("app").unwrap().name, "x.org/app");
    }
}
