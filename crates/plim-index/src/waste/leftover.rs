//! What installers, builds and crashes leave behind.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bstr::{BStr, ByteSlice};
use plim_oci::EntryKind;

use super::table::{Rule, Table};
use super::{Named, Sheet, Waste, WasteKind};
use crate::facts::ElfKind;
use crate::inventory::Inventory;
use crate::paths;

/// The least size of a core dump that is known by its name alone, in bytes.
const CORE_BY_NAME: u64 = 1024 * 1024;

/// The rules, in the order in which they are documented.
const RULES: &[Rule] = &[
    Rule {
        what: "apt's package lists",
        hint: "end the RUN that calls apt-get update with `rm -rf /var/lib/apt/lists/*`, or mount a cache there: \
               `RUN --mount=type=cache,target=/var/lib/apt/lists`",
        at: &["/var/lib/apt/lists/"],
        except: &[],
    },
    Rule {
        what: "apt's downloaded packages and caches",
        hint: "call `apt-get clean` in the RUN that installs, or `RUN --mount=type=cache,target=/var/cache/apt`",
        at: &["/var/cache/apt/"],
        except: &[],
    },
    Rule {
        what: "apk's cache",
        hint: "install with `apk add --no-cache`",
        at: &["/var/cache/apk/", "/etc/apk/cache/"],
        except: &[],
    },
    Rule {
        what: "caches of dnf, yum and zypper",
        hint: "call `dnf clean all` (`zypper clean --all`) in the RUN that installs",
        at: &["/var/cache/dnf/", "/var/cache/yum/", "/var/cache/libdnf5/", "/var/cache/zypp/", "/var/lib/yum/history/"],
        except: &[],
    },
    Rule {
        what: "caches of Python's installers",
        hint: "`pip install --no-cache-dir`, or a cache mount: `RUN --mount=type=cache,target=/root/.cache`",
        at: &[".cache/pip/", ".cache/uv/", ".cache/pypoetry/", ".cache/pipenv/", ".cache/pdm/"],
        // the environments themselves
        except: &["/pypoetry/virtualenvs/"],
    },
    Rule {
        what: "caches of npm, Yarn and pnpm",
        hint: "a cache mount keeps them out: `RUN --mount=type=cache,target=/root/.npm`",
        at: &[
            ".npm/_cacache/",
            ".npm/_logs/",
            ".npm/_npx/",
            ".cache/yarn/",
            "/usr/local/share/.cache/",
            ".local/share/pnpm/store/",
            ".pnpm-store/",
            ".cache/pnpm/",
            ".cache/node-gyp/",
            ".node-gyp/",
        ],
        except: &[],
    },
    Rule {
        what: "Cargo's registry and checkouts",
        hint: "build in a stage of its own and copy the program alone; `RUN --mount=type=cache,target=/usr/local/cargo/registry`",
        at: &[".cargo/registry/", ".cargo/git/", "/usr/local/cargo/registry/", "/usr/local/cargo/git/"],
        except: &[],
    },
    Rule {
        what: "Go's module and build cache",
        hint: "build in a stage of its own and copy the program alone; `RUN --mount=type=cache,target=/root/.cache/go-build`",
        at: &["go/pkg/mod/", "go/pkg/sumdb/", ".cache/go-build/"],
        except: &[],
    },
    Rule {
        what: "repositories and caches of Maven and Gradle",
        hint: "build in a stage of its own and copy the archive alone; `RUN --mount=type=cache,target=/root/.m2`",
        at: &[
            ".m2/repository/",
            ".gradle/caches/",
            ".gradle/wrapper/",
            ".gradle/daemon/",
            ".ivy2/cache/",
            ".sbt/boot/",
        ],
        except: &[],
    },
    Rule {
        what: "Composer's cache",
        hint: "a cache mount keeps it out: `RUN --mount=type=cache,target=/tmp/cache` with COMPOSER_CACHE_DIR=/tmp/cache",
        at: &[".composer/cache/", ".cache/composer/"],
        except: &[],
    },
    Rule {
        what: "downloaded gems",
        hint: "`bundle config set no-cache true`, and `rm -rf /usr/local/bundle/cache` in the RUN that installs",
        at: &["/usr/local/bundle/cache/", ".bundle/cache/", ".gem/cache/"],
        except: &[],
    },
    Rule {
        what: "Conda's package cache",
        hint: "call `conda clean -afy` in the RUN that installs",
        at: &[
            "conda/pkgs/",
            "miniconda/pkgs/",
            "miniconda3/pkgs/",
            "anaconda3/pkgs/",
            "mamba/pkgs/",
            "micromamba/pkgs/",
            "miniforge3/pkgs/",
            "mambaforge/pkgs/",
        ],
        except: &[],
    },
    Rule {
        what: "caches of development tools",
        hint: "name them in .dockerignore, or delete them in the RUN that makes them",
        at: &[
            ".pytest_cache/",
            ".mypy_cache/",
            ".ruff_cache/",
            ".tox/",
            ".nox/",
            ".hypothesis/",
            ".nyc_output/",
            ".parcel-cache/",
            ".next/cache/",
            ".angular/cache/",
            "node_modules/.cache/",
        ],
        except: &[],
    },
    Rule {
        what: "version control",
        hint: "name it in .dockerignore: `.git`",
        at: &[".git/", ".hg/", ".svn/", ".bzr/"],
        except: &[],
    },
    Rule {
        what: "logs",
        hint: "delete them in the RUN that writes them; an application logs to standard output",
        at: &["/var/log/"],
        except: &[],
    },
    Rule {
        what: "temporary files",
        hint: "delete them in the RUN that makes them, or `RUN --mount=type=tmpfs,target=/tmp`",
        at: &["/tmp/", "/var/tmp/"],
        except: &[],
    },
];

/// What is known by more than its directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rest {
    Backups,
    Gems,
    Cores,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::of(RULES));

/// Returns the rows.
pub(super) fn rows(sheet: &mut Sheet<'_>) -> Vec<Waste> {
    let mut groups: BTreeMap<(usize, usize), Vec<Named<'_>>> = BTreeMap::new();
    let mut rest: BTreeMap<(Rest, usize), Vec<Named<'_>>> = BTreeMap::new();
    for (path, node) in sheet.inventory.nodes.iter().filter(|(_, node)| node.head.kind == EntryKind::File) {
        let Some(origin) = node.origin else { continue };
        if let Some(found) = other(sheet.inventory, (path, node)) {
            rest.entry((found, origin.layer)).or_default().push((path, node));
        } else if let Some(rule) = TABLE.find(path.as_bstr()) {
            groups.entry((rule, origin.layer)).or_default().push((path, node));
        }
    }
    let words = |rule: &usize| (TABLE.rule(*rule).what.to_owned(), TABLE.rule(*rule).hint.to_owned());
    let mut rows = sheet.rows_by(WasteKind::Leftover, groups, words);
    rows.extend(sheet.rows_by(WasteKind::Leftover, rest, |rest| {
        let (what, hint) = match rest {
            Rest::Backups => {
                ("backups of package databases", "delete `*-old` and /var/backups in the RUN that installs")
            }
            Rest::Gems => ("downloaded gems", "delete the directory `cache` beside `gems` in the RUN that installs"),
            Rest::Cores => ("core dumps", "a program crashed during the build: delete what it left"),
        };
        (what.to_owned(), hint.to_owned())
    }));
    rows
}

fn other(inventory: &Inventory, (path, node): Named<'_>) -> Option<Rest> {
    let (dir, name) = paths::split(path.as_bstr());
    let database = dir == "var/lib/dpkg" || dir == "var/cache/debconf";
    if (database && name.ends_with(b"-old")) || path.starts_with(b"var/backups/") {
        return Some(Rest::Backups);
    }
    if name.ends_with(b".gem") && paths::name(dir) == "cache" {
        return Some(Rest::Gems);
    }
    let core = match inventory.elf(node) {
        Some(elf) => elf.kind == ElfKind::Core,
        // too large to be looked into
        None => node.head.size >= CORE_BY_NAME && is_core_name(name),
    };
    core.then_some(Rest::Cores)
}

/// `core.PID`, as the kernel's default pattern with `core_uses_pid` has it.
fn is_core_name(name: &BStr) -> bool {
    name.strip_prefix(b"core.").is_some_and(|pid| !pid.is_empty() && pid.iter().all(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(path: &str) -> Option<&'static str> {
        TABLE.find(path.as_bytes().as_bstr()).map(|rule| TABLE.rule(rule).what)
    }

    #[test]
    fn every_cache_has_its_words() {
        let table = [
            "var/lib/apt/lists/deb.example.org_dists_stable_InRelease",
            "var/cache/apt/pkgcache.bin",
            "var/cache/apk/APKINDEX.00000000.tar.gz",
            "var/cache/dnf/fedora.solv",
            "root/.cache/pip/http/1/2",
            "home/app/.cache/uv/wheels/x",
            "root/.npm/_cacache/content-v2/sha512/aa",
            "usr/local/share/.cache/yarn/v6/x",
            "usr/local/cargo/registry/src/x/lib.rs",
            "go/pkg/mod/example.org/x@v1/x.go",
            "root/go/pkg/mod/example.org/x@v1/x.go",
            "root/.m2/repository/org/x.jar",
            "root/.composer/cache/files/x.zip",
            "usr/local/bundle/cache/x.gem",
            "opt/conda/pkgs/x.conda",
            "opt/miniconda3/pkgs/x.conda",
            "app/.pytest_cache/v/x",
            "app/.git/objects/pack/x.pack",
            "var/log/dpkg.log",
            "tmp/x",
        ];
        let rows: Vec<String> = table.iter().map(|path| format!("{path}: {}", what(path).unwrap_or("-"))).collect();
        insta::assert_snapshot!(rows.join("\n"));
    }

    #[test]
    fn what_only_looks_like_a_cache_stays() {
        for path in [
            "root/.cache/pypoetry/virtualenvs/app-py3.13/bin/python",
            "root/.cache/ms-playwright/chromium/chrome",
            "root/.cache/huggingface/hub/model.bin",
            "root/.local/share/virtualenvs/app/bin/python",
            "app/.github/workflows/x.yml",
            "app/tmp/x",
            "usr/lib/python3/dist-packages/x/__pycache__/y.cpython-313.pyc",
            "srv/conda/bin/python",
        ] {
            assert_eq!(what(path), None, "{path}");
        }
    }

    #[test]
    fn a_core_dump_is_named_after_its_process() {
        let is = |name: &str| is_core_name(name.as_bytes().as_bstr());
        assert!(is("core.812"));
        assert!(!is("core.") && !is("core.js") && !is("core") && !is("score.1"));
    }
}
