//! Images without a package manager: the record of each package that scanners read, and the CA bundle.

use std::collections::HashSet;

use bstr::{BStr, ByteSlice};

use super::{Attributes, Level, Unpacked, Writer};
use crate::DebianError;

const STATUS: &str = "var/lib/dpkg/status.d";

/// Writes for each package its control record and the MD5 sums of the files that were kept, as distroless images have
/// them. The directory is made even where no file would need it: scanners look for its entry.
pub(super) fn write_records(level: &Level, unpacked: &[Unpacked], writer: &Writer<'_>) -> Result<(), DebianError> {
    for path in ["var", "var/lib", "var/lib/dpkg", STATUS] {
        writer.directory_if_new(path)?;
    }
    for (package, unpacked) in level.packages.iter().zip(unpacked) {
        let control = unpacked.control.get("control").map(|file| file.content.as_slice()).unwrap_or_default();
        let attributes = Attributes { mode: 0o644, uid: 0, gid: 0, mtime: writer.epoch };
        writer.file(&format!("{STATUS}/{}", package.name), attributes, control)?;
        if let Some(sums) = unpacked.control.get("md5sums") {
            let kept: HashSet<&BStr> = unpacked.kept.iter().map(|path| path.as_bstr()).collect();
            let mut text = Vec::with_capacity(sums.content.len());
            for line in sums.content.lines_with_terminator() {
                // 32 digits, two blanks, the path
                let path = line.get(34..).unwrap_or_default().trim_end();
                if kept.contains(path.as_bstr()) {
                    text.extend_from_slice(line);
                }
            }
            writer.file(&format!("{STATUS}/{}.md5sums", package.name), attributes, &text)?;
        }
    }
    Ok(())
}

/// Writes all CA certificates, sorted by name, as one file, as update-ca-certificates does.
pub(super) fn write_ca_bundle(unpacked: &[Unpacked], writer: &Writer<'_>) -> Result<(), DebianError> {
    let mut certificates: Vec<_> = unpacked.iter().flat_map(|package| &package.certificates).collect();
    certificates.sort();
    let mut bundle = Vec::new();
    for (_, certificate) in certificates {
        bundle.extend_from_slice(certificate);
        if !certificate.ends_with(b"\n") {
            bundle.push(b'\n');
        }
    }
    let attributes = Attributes { mode: 0o644, uid: 0, gid: 0, mtime: writer.epoch };
    writer.file("etc/ssl/certs/ca-certificates.crt", attributes, &bundle)
}
