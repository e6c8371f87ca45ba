//! What programs do not read while they run: documentation, translations, what only linkers and compilers need, tests.
//!
//! Only what is safe by its place is named. Licences stay, and so do headers of the programs themselves, fonts, time zones,
//! compiled locales and bytecode.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bstr::{BStr, ByteSlice};
use plim_oci::EntryKind;

use super::table::{Rule, Table};
use super::{Named, Sheet, Waste, WasteKind};
use crate::PackageKind;
use crate::inventory::Inventory;
use crate::paths;

const RULES: &[Rule] = &[
    Rule {
        what: "documentation",
        hint: "dpkg leaves it out with `path-exclude=/usr/share/doc/*` in /etc/dpkg/dpkg.cfg.d, dnf with `tsflags=nodocs`",
        at: &[
            "/usr/share/doc/",
            "/usr/share/doc-base/",
            "/usr/share/gtk-doc/",
            "/usr/share/lintian/",
            "/usr/share/bug/",
            "/usr/local/share/doc/",
            "/usr/share/help/",
        ],
        except: &["/copyright", "/LICENSE", "/COPYING", "/NOTICE"],
    },
    Rule {
        what: "manual pages and info files",
        hint: "dpkg leaves them out with `path-exclude=/usr/share/man/*` in /etc/dpkg/dpkg.cfg.d, apk puts them into -doc packages",
        at: &[
            "/usr/share/man/",
            "/usr/share/info/",
            "/usr/local/share/man/",
            "/usr/local/man/",
            "/usr/local/share/info/",
            "/var/cache/man/",
        ],
        except: &[],
    },
    Rule {
        what: "translations",
        hint: "programs speak English without them: `path-exclude=/usr/share/locale/*` in /etc/dpkg/dpkg.cfg.d",
        at: &["/usr/share/locale/", "/usr/local/share/locale/"],
        except: &["/locale.alias"],
    },
    Rule {
        what: "sources of locales",
        hint: "only localedef reads them; compiled locales stay in /usr/lib/locale",
        at: &["/usr/share/i18n/"],
        except: &[],
    },
    Rule {
        what: "conversions of character sets (gconv)",
        hint: "glibc itself knows UTF-8, UTF-16, UTF-32, ASCII and its own wide characters; keep them where the program calls iconv for others",
        at: &[
            "/usr/lib/gconv/",
            "/usr/lib64/gconv/",
            "/usr/lib/x86_64-linux-gnu/gconv/",
            "/usr/lib/aarch64-linux-gnu/gconv/",
        ],
        except: &[],
    },
    Rule {
        what: "completions of interactive shells",
        hint: "nobody types in a container: delete them in the RUN that installs",
        at: &["/usr/share/bash-completion/", "/usr/share/zsh/", "/usr/share/fish/vendor_completions.d/"],
        except: &[],
    },
    Rule { what: "headers", hint: HEADERS, at: &["/usr/include/", "/usr/local/include/"], except: &[] },
    Rule {
        what: "settings of pkg-config, CMake and aclocal",
        hint: "only builds read them: compile in a stage of its own",
        at: &[
            "pkgconfig/",
            "/usr/lib/cmake/",
            "/usr/lib/x86_64-linux-gnu/cmake/",
            "/usr/lib/aarch64-linux-gnu/cmake/",
            "/usr/lib64/cmake/",
            "/usr/local/lib/cmake/",
            "/usr/share/aclocal/",
            "/usr/local/share/aclocal/",
        ],
        except: &["/node_modules/", "/site-packages/"],
    },
    Rule {
        what: "debugging symbols in files of their own",
        hint: "remove the packages that end in -dbg or -dbgsym",
        at: &["/usr/lib/debug/"],
        except: &[],
    },
];

/// Python packages that import from their own `tests` when they are imported.
const IMPORT_TESTS: [&str; 2] = ["astropy", "sunpy"];

const HEADERS: &str = "only compilers read them: compile in a stage of its own (a program that compiles while it runs needs them with its compiler)";

/// What is known by more than a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rest {
    StaticLibraries,
    SourceMaps,
    TypeDeclarations,
    PythonTests,
    NodeTests,
    GemTests,
    NetSymbols,
    JdkModules,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::of(RULES));

/// Returns a row for each rule and layer.
pub(super) fn rows(sheet: &mut Sheet<'_>) -> Vec<Waste> {
    let inventory = sheet.inventory;
    let image = Image::of(inventory);
    let mut groups: BTreeMap<(usize, usize), Vec<Named<'_>>> = BTreeMap::new();
    let mut rest: BTreeMap<(Rest, usize), Vec<Named<'_>>> = BTreeMap::new();
    for (path, node) in inventory.nodes.iter().filter(|(_, node)| node.head.kind == EntryKind::File) {
        let Some(origin) = node.origin else { continue };
        if let Some(rule) = TABLE.find(path.as_bstr()) {
            groups.entry((rule, origin.layer)).or_default().push((path, node));
        } else if let Some(found) = image.other(path.as_bstr()) {
            rest.entry((found, origin.layer)).or_default().push((path, node));
        }
    }
    let words = |rule: &usize| (TABLE.rule(*rule).what.to_owned(), TABLE.rule(*rule).hint.to_owned());
    let mut rows = sheet.rows_by(WasteKind::Droppable, groups, words);
    rows.extend(sheet.rows_by(WasteKind::Droppable, rest, |rest| {
        let (what, hint) = match rest {
            Rest::StaticLibraries => {
                ("static libraries", "only linkers read `.a` and `.la`: compile in a stage of its own")
            }
            Rest::SourceMaps => (
                "source maps",
                "browsers and `node --enable-source-maps` read them for stack traces, nothing else does: delete `*.map` after the build",
            ),
            Rest::TypeDeclarations => {
                ("declarations of TypeScript", "only the compiler reads `*.d.ts`: delete those of node_modules after the build")
            }
            Rest::PythonTests => (
                "tests of Python packages",
                "nothing imports them: delete the directories `tests` in the stage that installs",
            ),
            Rest::NodeTests => {
                ("tests of Node.js packages", "nothing requires them: delete `test`, `tests` and `__tests__` of packages after the installation")
            }
            Rest::GemTests => ("tests of gems", "nothing requires them: delete `test` and `spec` of gems in the RUN that installs"),
            Rest::NetSymbols => (
                "debugging symbols of .NET",
                "`dotnet publish -p:DebugType=none`; stack traces lose their line numbers",
            ),
            Rest::JdkModules => (
                "modules and sources of a JDK",
                "only jlink and debuggers read `jmods` and `src.zip`: a JRE, or an image made by jlink, is enough to run",
            ),
        };
        (what.to_owned(), hint.to_owned())
    }));
    rows
}

/// What is to be known of the whole image before a file can be judged.
struct Image<'a> {
    inventory: &'a Inventory,
    /// Something compiles TypeScript while it runs.
    compiles_typescript: bool,
}

impl<'a> Image<'a> {
    fn of(inventory: &'a Inventory) -> Self {
        let npm = |name: &str| {
            inventory.packages.iter().any(|package| package.kind == PackageKind::Npm && package.name == name)
        };
        Self { inventory, compiles_typescript: npm("ts-node") }
    }

    fn other(&self, path: &BStr) -> Option<Rest> {
        let name = paths::name(path);
        if has_end(name, &[".a", ".la"]) && in_library(path) {
            return Some(Rest::StaticLibraries);
        }
        if let Some(inside) = after(path, b"node_modules/") {
            if has_end(name, &[".js.map", ".mjs.map", ".cjs.map", ".css.map", ".ts.map", ".mts.map", ".cts.map"]) {
                return Some(Rest::SourceMaps);
            }
            if has_end(name, &[".d.ts", ".d.mts", ".d.cts"]) && !self.compiles_typescript {
                return Some(Rest::TypeDeclarations);
            }
            return in_node_test(inside).then_some(Rest::NodeTests);
        }
        for packages in [&b"site-packages/"[..], b"dist-packages/"] {
            if let Some(inside) = after(path, packages) {
                return in_python_test(inside).then_some(Rest::PythonTests);
            }
        }
        if in_python_library_test(path) {
            return Some(Rest::PythonTests);
        }
        if let Some(inside) = after(path, b"gems/") {
            let mut parts = inside.split_str("/").skip(1);
            let tests = matches!(parts.next(), Some(b"test" | b"spec")) && parts.next().is_some();
            return tests.then_some(Rest::GemTests);
        }
        if let Some(stem) = path.strip_suffix(b".pdb") {
            let beside = |end: &[u8]| self.inventory.get(bstr::concat([stem, end])).is_some();
            return (beside(b".dll") || beside(b".exe")).then_some(Rest::NetSymbols);
        }
        self.in_jdk(path).then_some(Rest::JdkModules)
    }

    /// `jmods/*.jmod` and `lib/src.zip` of a directory that has a compiler.
    fn in_jdk(&self, path: &BStr) -> bool {
        let home = if path.ends_with(b".jmod") {
            let (dir, _) = paths::split(path);
            dir.strip_suffix(b"/jmods")
        } else {
            path.strip_suffix(b"/lib/src.zip")
        };
        home.is_some_and(|home| self.inventory.lookup(bstr::concat([home, b"/bin/javac"])).is_some())
    }
}

fn has_end(name: &BStr, ends: &[&str]) -> bool {
    ends.iter().any(|end| name.len() > end.len() && name.ends_with(end.as_bytes()))
}

/// Returns what stands behind the last directory of a name.
fn after<'a>(path: &'a BStr, dir: &[u8]) -> Option<&'a [u8]> {
    let path = path.as_bytes();
    let at = path.rfind(dir)?;
    (at == 0 || path[at - 1] == b'/').then(|| &path[at + dir.len()..])
}

/// In a directory that linkers search, or in one of a library of a language there.
fn in_library(path: &BStr) -> bool {
    ["lib/", "lib64/", "usr/lib/", "usr/lib64/", "usr/libexec/", "usr/local/lib/", "usr/local/lib64/", "opt/"]
        .iter()
        .any(|dir| path.starts_with(dir.as_bytes()))
}

/// `PACKAGE/…/tests/…`: below a package, and not of one whose tests are part of its interface.
fn in_python_test(inside: &[u8]) -> bool {
    let mut parts = inside.split_str("/");
    let package = parts.next().unwrap_or_default();
    let dirs: Vec<&[u8]> = parts.collect();
    !IMPORT_TESTS.iter().any(|name| name.as_bytes() == package)
        && dirs.split_last().is_some_and(|(_, dirs)| dirs.contains(&&b"tests"[..]))
}

/// `NAME/test/…` or `@SCOPE/NAME/test/…`: only directly in a package, and not for a package of that name.
fn in_node_test(inside: &[u8]) -> bool {
    let mut parts = inside.split_str("/");
    if parts.next().is_some_and(|name| name.starts_with(b"@")) {
        parts.next();
    }
    matches!(parts.next(), Some(b"test" | b"tests" | b"__tests__")) && parts.next().is_some()
}

/// `usr/lib/python3.13/test/…` and the like.
fn in_python_library_test(path: &BStr) -> bool {
    let rest = path.strip_prefix(b"usr/local/lib/python3").or_else(|| path.strip_prefix(b"usr/lib/python3"));
    let Some(rest) = rest else { return false };
    let mut parts = rest.split_str("/").skip(1);
    matches!(parts.next(), Some(b"test")) && parts.next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_known_by_their_place_in_a_package() {
        assert!(in_node_test(b"a/test/x.js"));
        assert!(in_node_test(b"@s/a/__tests__/x.js"));
        assert!(!in_node_test(b"test/index.js"));
        assert!(!in_node_test(b"a/lib/test/x.js"));
        assert!(!in_node_test(b"a/test"));
        assert!(in_python_test(b"numpy/core/tests/x.py"));
        assert!(!in_python_test(b"tests/x.py") && !in_python_test(b"astropy/tests/runner.py"));
        assert!(!in_python_test(b"numpy/tests"));
        let is = |path: &str| in_python_library_test(path.as_bytes().as_bstr());
        assert!(is("usr/local/lib/python3.13/test/test_os.py"));
        assert!(!is("usr/lib/python3.13/unittest/case.py") && !is("usr/lib/python3/dist-packages/test/x.py"));
    }

    #[test]
    fn static_libraries_are_those_of_linkers() {
        let is = |path: &str| in_library(path.as_bytes().as_bstr());
        assert!(is("usr/lib/x86_64-linux-gnu/libc.a"));
        assert!(!is("srv/data/library.a"));
        assert!(!has_end(b".a".as_bstr(), &[".a"]));
    }

    #[test]
    fn licences_are_no_documentation() {
        let what = |path: &str| TABLE.find(path.as_bytes().as_bstr()).map(|rule| TABLE.rule(rule).what);
        assert_eq!(what("usr/share/doc/bash/changelog.gz"), Some("documentation"));
        assert_eq!(what("usr/share/doc/bash/copyright"), None);
        assert_eq!(what("usr/share/locale/de/LC_MESSAGES/bash.mo"), Some("translations"));
        assert_eq!(what("usr/lib/locale/C.utf8/LC_CTYPE"), None);
        assert_eq!(what("app/usr/include/x.h"), None);
        assert_eq!(what("usr/share/fonts/x.ttf"), None);
    }
}
