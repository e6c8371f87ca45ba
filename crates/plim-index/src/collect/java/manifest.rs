//! The texts in Java archives that say what a library is: the manifest and Maven's properties.

use bstr::ByteSlice;

use super::super::text;
use super::MAX_NAME;

/// Coordinates of a library in Maven's terms.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pom {
    pub(super) group: String,
    pub(super) artifact: String,
    pub(super) version: String,
}

/// Reads `pom.properties`; nothing unless all three are there.
pub(super) fn pom(content: &[u8]) -> Option<Pom> {
    let value = |key: &str| {
        content.lines().find_map(|line| {
            let (name, value) = line.split_once_str("=")?;
            let value = text(value.trim(), MAX_NAME);
            (name.trim() == key.as_bytes() && !value.is_empty()).then_some(value)
        })
    };
    Some(Pom { group: value("groupId")?, artifact: value("artifactId")?, version: value("version")? })
}

/// What the main section of a manifest says of the library.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Manifest {
    /// `Implementation-Vendor-Id`, which is Maven's group where it is given.
    pub(super) group: Option<String>,
    /// `Implementation-Version`, else `Bundle-Version`, else `Specification-Version`.
    pub(super) version: Option<String>,
    /// `Bundle-License`.
    pub(super) license: Option<String>,
    /// `Implementation-Vendor`, else `Bundle-Vendor`.
    pub(super) vendor: Option<String>,
}

impl Manifest {
    /// Reads the main section (JAR File Specification, "Manifest Specification"): lines of at most 72 bytes, of which
    /// one that begins with a space goes on with the value before it.
    pub(super) fn parse(content: &[u8]) -> Self {
        let mut fields: Vec<(&[u8], Vec<u8>)> = Vec::new();
        for line in content.lines() {
            if line.is_empty() {
                break;
            }
            if let Some(more) = line.strip_prefix(b" ") {
                if let Some(last) = fields.last_mut() {
                    last.1.extend_from_slice(more);
                }
            } else if let Some((name, value)) = line.split_once_str(":") {
                fields.push((name, value.trim_start().to_vec()));
            }
        }
        let get = |names: &[&str]| {
            names.iter().find_map(|name| {
                let field = fields.iter().find(|field| field.0.eq_ignore_ascii_case(name.as_bytes()))?;
                let value = text(field.1.trim(), MAX_NAME);
                // placeholders that a build forgot to fill in
                (!value.is_empty() && !value.starts_with("${")).then_some(value)
            })
        };
        Self {
            group: get(&["Implementation-Vendor-Id"]),
            version: get(&["Implementation-Version", "Bundle-Version", "Specification-Version"]),
            license: get(&["Bundle-License"]),
            vendor: get(&["Implementation-Vendor", "Bundle-Vendor"]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_and_half_properties_say_nothing() {
        let manifest = Manifest::parse(
            b"Implementation-Version: ${project.version}\nBundle-Version: 2.0\n more\nBundle-Vendor: V\n",
        );
        assert_eq!(manifest.version.as_deref(), Some("2.0more"));
        assert_eq!(manifest.vendor.as_deref(), Some("V"));
        assert_eq!(pom(b"groupId=g\nartifactId=a\n"), None);
    }
}
