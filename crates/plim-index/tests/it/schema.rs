//! Guards the schema number: the collectors' output over a fixed layer is hashed, and whoever changes it must raise
//! [`plim_index::SCHEMA`] and write down the new pair here.

use plim_index::SCHEMA;
use plim_oci::Digest;

use crate::build::LayerBuilder;

/// A layer with something for every collector.
fn fixture() -> LayerBuilder {
    LayerBuilder::new()
        .dir("")
        .file("var/lib/dpkg/status", "Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\nSource: s (2)\nMaintainer: M <m@example.org>\nHomepage: https://example.org\nSection: libs\nEssential: yes\nInstalled-Size: 3\nDepends: b,\n c\nPre-Depends: d\nProvides: e\nDescription: one\n two\n\nPackage: nothing\n")
        .file("var/lib/dpkg/status.d/b", "Package: b\nVersion: 2\n")
        .file("var/lib/dpkg/status.d/b.md5sums", "00112233445566778899aabbccddeeff  usr/bin/b\n")
        .file("var/lib/dpkg/info/a:amd64.list", "/.\n/usr\n/usr/bin/a\n")
        .file("usr/share/doc/a/copyright", "Format: x\n\nFiles: *\nLicense: MIT\n text\n")
        .file("usr/share/doc/b/copyright", "prose\n")
        .file("s/p-1.dist-info/METADATA", "Name: P_q\nVersion: 1\nSummary: s\nHome-page: h\nAuthor: a\nLicense: l\nClassifier: License :: OSI Approved :: MIT License\nClassifier: Other\nRequires-Dist: r\nRequires-Python: >=3\n\nbody\n")
        .file("s/p-1.dist-info/RECORD", "p/__init__.py,sha256=x,1\n\"q,r.py\",,\n../bin/p,,\n")
        .file("s/p-1.dist-info/INSTALLER", "uv\n")
        .file("s/o.egg-info/PKG-INFO", "Name: o\nVersion: 2\n")
        .file("s/o.egg-info/top_level.txt", "o\n")
        .file("s/o.egg-info/installed-files.txt", "../o/x.py\n")
        .file("n/node_modules/a/package.json", r#"{"name":"a","version":"1","description":"d","homepage":"h","author":"x","license":"MIT","dependencies":{"b":"^1"}}"#)
        .file("n/package.json", r#"{"type":"module"}"#)
        .file("lib/apk/db/installed", "P:p\nV:1\nA:x\no:q\nT:t\nL:MIT\nU:u\nm:m\nI:9\nD:a b\np:c\nF:f\nR:g\n\n")
        .file("g/specifications/r-1.gemspec", "# stub: r 1 ruby lib\ns.summary = \"s\"\ns.authors = [\"a\"]\ns.licenses = [\"l\"]\ns.add_dependency(%q<d>, [\"~> 1\"])\n")
        .file("j/empty-1.2.jar", [&b"PK\x05\x06"[..], &[0; 18]].concat())
        .file("etc/token", format!("x\nghp_{}\n", "0123456789abcdefghij0123456789abcdefghij"))
        .program("bin/script", "#!/usr/bin/env -S sh -e\n")
        .program("bin/broken", b"\x7fELF\x02\x01\x01")
        .program("bin/program", elf())
        .file("etc/os-release", "ID=debian\nNAME='D'\n")
        .symlink("bin/link", "program")
        .hardlink("bin/hard", "bin/program")
        .file("d/.wh.x", "")
        .file("d/.wh..wh..opq", "")
}

/// The smallest dynamic program: a header, three segments, no sections.
fn elf() -> Vec<u8> {
    const STRINGS: &[u8] = b"\0libc.so.6\0$ORIGIN/lib\0libself.so.1\0";
    let (interpreter, interpreter_at) = (b"/lib64/ld-linux-x86-64.so.2\0", 64 + 3 * 56);
    let strings_at = interpreter_at + interpreter.len();
    let dynamic_at = (strings_at + STRINGS.len()).next_multiple_of(8);
    let dynamic: [(u64, u64); 7] = [
        (1, 1),
        (29, 11),
        (14, 23),
        (5, strings_at as u64),
        (10, STRINGS.len() as u64),
        (0x6fff_fffb, 0x0800_0000),
        (0, 0),
    ];
    let end = dynamic_at + dynamic.len() * 16;
    let mut file = Vec::new();
    file.extend_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    let halves = |file: &mut Vec<u8>, values: &[u16]| file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    let words = |file: &mut Vec<u8>, values: &[u32]| file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    let longs = |file: &mut Vec<u8>, values: &[u64]| file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    halves(&mut file, &[3, 62]);
    words(&mut file, &[1]);
    longs(&mut file, &[0, 64, 0]);
    words(&mut file, &[0]);
    halves(&mut file, &[64, 56, 3, 64, 0, 0]);
    let segments = [(1, 0, end), (3, interpreter_at, interpreter.len()), (2, dynamic_at, dynamic.len() * 16)];
    for (kind, at, size) in segments {
        let (at, size) = (at as u64, size as u64);
        words(&mut file, &[kind, 4]);
        longs(&mut file, &[at, at, at, size, size, 8]);
    }
    file.extend_from_slice(interpreter);
    file.extend_from_slice(STRINGS);
    file.resize(dynamic_at, 0);
    for (tag, value) in dynamic {
        longs(&mut file, &[tag, value]);
    }
    file
}

#[test]
fn the_smallest_program_is_understood_by_its_segments_alone() {
    let index = fixture().index();
    let program = &index.elves[1];
    assert!(index.elves[0].malformed && !program.malformed);
    assert_eq!(program.interpreter.as_ref().unwrap(), "/lib64/ld-linux-x86-64.so.2");
    assert_eq!(program.needed, ["libc.so.6"]);
    assert_eq!(program.runpath.as_ref().unwrap(), "$ORIGIN/lib");
    assert_eq!(program.soname.as_ref().unwrap(), "libself.so.1");
    assert_eq!(program.kind, plim_index::facts::ElfKind::Executable);
    assert_eq!(program.libc, Some(plim_index::facts::Libc::Glibc));
}

#[test]
fn output_does_not_change_without_the_schema_number() {
    let index = fixture().index();
    let bytes = postcard::to_stdvec(&*index).unwrap();
    let known = [
        (1, "sha256:d4340d77c054a01ad8a04bc3b2128fbd3c5018de2b775b302496903e351d2772"),
        (2, "sha256:9436733c55c66f0a92f98272d165c7d811c696fb2557dfd3248315ef7ecee26a"),
        (3, "sha256:12a021c52c944602e8aa869d203d5dc779fffea440e21ab1339f99a1052e70c2"),
        (4, "sha256:252f3aa8028ad5a2468efd25f8cd9d3f4983e832d0d89ab9c1a2825406cd5f0c"),
    ];
    let now = (SCHEMA, Digest::of(&bytes));
    assert_eq!(
        known.last().map(|(schema, digest)| (*schema, (*digest).to_owned())),
        Some((now.0, now.1.to_string())),
        "the output of the collectors has changed: raise SCHEMA and add the new pair"
    );
}
