use std::io::Write;

use super::*;

/// Returns an `ar` archive.
pub(super) fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = b"!<arch>\n".to_vec();
    for (name, content) in members {
        writeln!(bytes, "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`", 1_700_000_000, 0, 0, 100_644, content.len()).unwrap();
        bytes.extend_from_slice(content);
        if content.len() % 2 == 1 {
            bytes.push(b'\n');
        }
    }
    bytes
}

/// Returns a tar of files with content; a name that ends in a slash is a directory, `a -> b` a link.
pub(super) fn tar(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mtime(1_600_000_000);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(0);
        if let Some((name, target)) = name.split_once(" -> ") {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_mode(0o777);
            builder.append_link(&mut header, name, target).unwrap();
            continue;
        }
        if name.ends_with('/') {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_mode(0o755);
        } else {
            header.set_size(content.len() as u64);
            header.set_mode(if content.starts_with("#!") { 0o755 } else { 0o644 });
        }
        // written raw: the builder itself would refuse the unsafe names that the tests need
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, content.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

/// Returns a package with a control archive packed by gzip and data packed by xz.
pub(super) fn deb(control: &[(&str, &str)], data: &[(&str, &str)]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&tar(control)).unwrap();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
    xz.write_all(&tar(data)).unwrap();
    ar(&[
        ("debian-binary", b"2.0\n"),
        ("control.tar.gz", &gzip.finish().unwrap()),
        ("data.tar.xz", &xz.finish().unwrap()),
    ])
}

fn list(bytes: &[u8]) -> Result<Vec<(DataEntry, String)>, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let mut entries = Vec::new();
    Deb::open(file.path())
        .and_then(|deb| {
            deb.unpack(&mut |entry, content| {
                let mut text = String::new();
                content.read_to_string(&mut text).unwrap();
                entries.push((entry, text));
                Ok(())
            })
        })
        .map_err(|error| error.to_string())?;
    Ok(entries)
}

#[test]
fn entries_stream_with_their_content() {
    let bytes =
        deb(&[("./control", "Package: a\n")], &[("./", ""), ("./usr/", ""), ("./usr/a", "text"), ("./usr/b -> a", "")]);
    let entries = list(&bytes).unwrap();
    let shown: Vec<_> = entries.iter().map(|(e, text)| format!("{} {:?} {text}{}", e.path, e.kind, e.link)).collect();
    assert_eq!(shown, [" Dir ", "usr Dir ", "usr/a File text", "usr/b Symlink a"]);
}

#[test]
fn all_packings_are_read() {
    let data = tar(&[("./etc/x", "zstd")]);
    for (name, packed) in [("data.tar", data.clone()), ("data.tar.zst", zstd::encode_all(data.as_slice(), 3).unwrap())]
    {
        let bytes = ar(&[
            ("debian-binary", b"2.0\n"),
            ("control.tar", &tar(&[("control", "")])),
            ("_x", b"odd"),
            (name, &packed),
        ]);
        assert_eq!(list(&bytes).unwrap()[0].1, "zstd");
    }
}

#[test]
fn files_move_below_usr() {
    let bytes = deb(&[], &[("./bin/sh", "x"), ("./lib64/ld.so", "x"), ("./lib -> usr/lib", ""), ("./library/a", "x")]);
    let paths: Vec<_> = list(&bytes).unwrap().into_iter().map(|(entry, _)| entry.path.to_string()).collect();
    assert_eq!(paths, ["usr/bin/sh", "usr/lib64/ld.so", "lib", "library/a"]);
}

#[test]
fn names_that_leave_the_root_are_refused() {
    let error = list(&deb(&[], &[("./usr/../../etc/passwd", "x")])).unwrap_err();
    assert!(error.contains("leaves the root"), "{error}");
    assert_eq!(list(&deb(&[], &[("/etc/passwd", "x")])).unwrap()[0].0.path, "etc/passwd");
    assert!(list(&deb(&[("../evil", "x")], &[])).unwrap_err().contains("control.tar"));
}

#[test]
fn damaged_packages_are_errors() {
    let good = deb(&[("control", "Package: a\n")], &[("./a", "text")]);
    for length in (0..good.len()).step_by(7) {
        assert!(list(&good[..length]).is_err(), "{length} bytes of {}", good.len());
    }
    for (at, what) in [(0, "magic"), (66, "member head"), (9, "first name")] {
        let mut bad = good.clone();
        bad[at] ^= 0x20;
        assert!(list(&bad).is_err(), "{what}");
    }
}
