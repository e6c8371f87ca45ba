//! Shared libraries that the new image lacks, told by what its ELF files ask for.
//!
//! What packages of Debian ask for is Debian's matter: the runtime bases leave libraries out on purpose. What the
//! application brings (wheels, native addons, its own binaries) must find its libraries, and where it does not, the
//! Debian package that has them in the old image is the one that the new image needs.

use std::collections::{BTreeMap, BTreeSet};

use bstr::{BStr, BString, ByteSlice};
use plim_index::facts::{ElfKind, Libc};
use plim_index::{Inventory, Node, PackageKind};

/// A library that is asked for and not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Missing {
    /// Its name, such as `libpq.so.5`.
    pub(super) soname: BString,
    /// A file that asks for it.
    pub(super) wanted_by: BString,
    /// The Debian package that has it.
    pub(super) package: String,
}

/// Packages of Debian 13 for libraries that are asked for often: what is left to go by where there is no old image.
const COMMON: &[(&str, &str)] = &[
    ("ld-linux-x86-64.so.2", "libc6"),
    ("ld-linux-aarch64.so.1", "libc6"),
    ("libc.so.6", "libc6"),
    ("libm.so.6", "libc6"),
    ("libatomic.so.1", "libatomic1"),
    ("libbz2.so.1.0", "libbz2-1.0"),
    ("libcairo.so.2", "libcairo2"),
    ("libcrypto.so.3", "libssl3t64"),
    ("libcurl.so.4", "libcurl4t64"),
    ("libexpat.so.1", "libexpat1"),
    ("libffi.so.8", "libffi8"),
    ("libgcc_s.so.1", "libgcc-s1"),
    ("libGL.so.1", "libgl1"),
    ("libglib-2.0.so.0", "libglib2.0-0t64"),
    ("libgomp.so.1", "libgomp1"),
    ("libgssapi_krb5.so.2", "libgssapi-krb5-2"),
    ("libjpeg.so.62", "libjpeg62-turbo"),
    ("libldap.so.2", "libldap2"),
    ("liblzma.so.5", "liblzma5"),
    ("libmagic.so.1", "libmagic1t64"),
    ("libmariadb.so.3", "libmariadb3"),
    ("libodbc.so.2", "libodbc2"),
    ("libpango-1.0.so.0", "libpango-1.0-0"),
    ("libpcre2-8.so.0", "libpcre2-8-0"),
    ("libpng16.so.16", "libpng16-16t64"),
    ("libpq.so.5", "libpq5"),
    ("librdkafka.so.1", "librdkafka1"),
    ("libsodium.so.23", "libsodium23"),
    ("libsqlite3.so.0", "libsqlite3-0"),
    ("libssl.so.3", "libssl3t64"),
    ("libstdc++.so.6", "libstdc++6"),
    ("libuuid.so.1", "libuuid1"),
    ("libvips.so.42", "libvips42t64"),
    ("libxml2.so.2", "libxml2"),
    ("libxmlsec1.so.1", "libxmlsec1t64"),
    ("libxslt.so.1", "libxslt1.1"),
    ("libyaml-0.so.2", "libyaml-0-2"),
    ("libz.so.1", "zlib1g"),
    ("libzmq.so.5", "libzmq5"),
    ("libzstd.so.1", "libzstd1"),
];

/// Returns the libraries that the new image lacks and a package is known for, each once. A library that neither image has
/// is one that the application does without.
pub(super) fn missing(after: &Inventory, before: Option<&Inventory>) -> Vec<Missing> {
    let present: BTreeSet<&BStr> = after.nodes.keys().map(|path| file_name(path.as_bstr())).collect();
    let mut wanted: BTreeMap<&BStr, &BString> = BTreeMap::new();
    for (path, node) in after.nodes.iter().filter(|(_, node)| !is_debians(after, node)) {
        let Some(elf) = after.elf(node) else { continue };
        // files for another C library lie beside those for this one in packages that bring both
        let foreign = elf.malformed || elf.libc == Some(Libc::Musl);
        if foreign || !matches!(elf.kind, ElfKind::Executable | ElfKind::Library) {
            continue;
        }
        let interpreter = elf.interpreter.iter().map(|path| file_name(path.as_bstr()));
        for name in elf.needed.iter().map(|name| file_name(name.as_bstr())).chain(interpreter) {
            if !present.contains(name) {
                wanted.entry(name).or_insert(path);
            }
        }
    }
    let found = |soname: &BStr| match before {
        Some(before) => owner_in(before, soname),
        None => COMMON.iter().find(|(name, _)| soname == name.as_bytes()).map(|(_, package)| (*package).to_owned()),
    };
    wanted
        .into_iter()
        .filter_map(|(soname, path)| {
            let package = found(soname)?;
            Some(Missing { soname: soname.to_owned(), wanted_by: path.clone(), package })
        })
        .collect()
}

/// The Debian package that has a library of that name in an image.
fn owner_in(image: &Inventory, soname: &BStr) -> Option<String> {
    image
        .nodes
        .iter()
        .filter(|(path, _)| file_name(path.as_bstr()) == soname)
        .filter_map(|(_, node)| image.packages.get(node.owner?))
        .find(|package| package.kind == PackageKind::Deb)
        .map(|package| package.name.clone())
}

fn is_debians(image: &Inventory, node: &Node) -> bool {
    let owner = node.owner.and_then(|owner| image.packages.get(owner));
    owner.is_some_and(|package| package.kind == PackageKind::Deb)
}

fn file_name(path: &BStr) -> &BStr {
    path.rsplit_str("/").next().unwrap_or(path).as_bstr()
}

#[cfg(test)]
mod tests {
    use super::{COMMON, file_name};

    #[test]
    fn the_table_is_sorted_enough_to_have_no_name_twice() {
        let mut names: Vec<&str> = COMMON.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn interpreters_are_known_by_their_names() {
        assert_eq!(file_name("lib64/ld-linux-x86-64.so.2".into()), "ld-linux-x86-64.so.2");
    }
}
