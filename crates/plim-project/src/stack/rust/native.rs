//! Dependencies that are more than Rust: which Debian packages building them takes, which libraries they load.

use super::lock::{Locked, Reach};
use super::manifest::{Features, Package};
use crate::project::Native;

/// Crates, and a part of the name of the feature by which they bring the sources of a library along or come in at all.
const SWITCHES: &[(&str, &str)] = &[
    ("openssl-sys", "vendored"),
    ("libssh2-sys", "vendored"),
    ("libdbus-sys", "vendored"),
    ("libsqlite3-sys", "bundled"),
    ("pq-sys", "bundled"),
    ("aws-lc-fips-sys", "fips"),
];

/// The features that the packages of the project switch on, in themselves and in their dependencies, and all that they could.
///
/// A lock file holds what any feature asks for. Whether one is on is known as far as the project itself decides it.
#[derive(Debug, Clone, Default)]
pub(super) struct Switches {
    on: Vec<String>,
    possible: Vec<String>,
}

impl Switches {
    /// Reads them from the packages that are compiled; `chosen` are the features of the program's own package.
    pub(super) fn of(packages: &[&Package], program: &Package, chosen: &Features) -> Self {
        let mut switches = Self::default();
        let none = Features::default();
        for package in packages {
            let features = if package.dir == program.dir { chosen } else { &none };
            switches.on.extend(package.features_on(features));
            switches.on.extend(package.active(features).into_iter().flat_map(|dependency| dependency.features.clone()));
            let all = package.features.iter().flat_map(|(name, list)| [name].into_iter().chain(list));
            switches.possible.extend(all.cloned());
            switches.possible.extend(package.dependencies.iter().flat_map(|dependency| dependency.features.clone()));
        }
        switches
    }

    /// Whether the project could switch a crate's feature on and does not.
    fn is_off(&self, name: &str) -> bool {
        let word = SWITCHES.iter().find(|(known, _)| *known == name).map(|(_, word)| *word);
        let has = |list: &[String], word: &str| list.iter().any(|feature| feature.contains(word));
        word.is_some_and(|word| has(&self.possible, word) && !has(&self.on, word))
    }
}

/// Where the C code of a crate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    /// The crate brings the sources and compiles them into the program.
    Bundled,
    /// The crate links with a library of the system, unless it takes in the named crate, which brings the sources.
    SystemUnless(&'static str),
    /// The crate links with a library of the system.
    System,
    /// The crate looks for libraries when the program runs.
    Loads,
    /// Only its build script is at work: it writes Rust.
    Generates,
}

/// What is known about a crate.
struct Crate {
    name: &'static str,
    code: Code,
    /// Packages of Debian 13 that building it takes, when the code is that of the system or of a generator.
    system_build: &'static [&'static str],
    /// Packages of Debian 13 that compiling the bundled sources takes beside a C compiler.
    bundled_build: &'static [&'static str],
    /// Packages of Debian 13 with the libraries that it loads.
    libraries: &'static [&'static str],
}

const fn bundled(name: &'static str, build: &'static [&'static str]) -> Crate {
    Crate { name, code: Code::Bundled, system_build: &[], bundled_build: build, libraries: &[] }
}

const fn system(name: &'static str, build: &'static [&'static str], libraries: &'static [&'static str]) -> Crate {
    Crate { name, code: Code::System, system_build: build, bundled_build: &[], libraries }
}

const fn either(
    name: &'static str,
    source: &'static str,
    system_build: &'static [&'static str],
    bundled_build: &'static [&'static str],
    libraries: &'static [&'static str],
) -> Crate {
    Crate { name, code: Code::SystemUnless(source), system_build, bundled_build, libraries }
}

const fn loads(name: &'static str, libraries: &'static [&'static str]) -> Crate {
    Crate { name, code: Code::Loads, system_build: &[], bundled_build: &[], libraries }
}

const fn generates(name: &'static str, build: &'static [&'static str]) -> Crate {
    Crate { name, code: Code::Generates, system_build: build, bundled_build: &[], libraries: &[] }
}

/// The compiler of protocol buffers, and the definitions that others include.
const PROTOC: &[&str] = &["libprotobuf-dev", "protobuf-compiler"];

/// Crates that bring that compiler along.
const BRING_PROTOC: &[&str] = &["protobuf-src", "protoc-bin-vendored", "protox"];

const KNOWN: &[Crate] = &[
    // TLS and cryptography
    either("openssl-sys", "openssl-src", &["libssl-dev", "pkg-config"], &["make", "perl"], &["libssl3t64"]),
    bundled("ring", &[]),
    bundled("aws-lc-sys", &["cmake", "make"]),
    bundled("aws-lc-fips-sys", &["cmake", "golang-go", "make", "perl"]),
    bundled("boring-sys", &["cmake", "g++", "git", "make"]),
    either("libsodium-sys", "cc", &["libsodium-dev", "pkg-config"], &["make"], &["libsodium23"]),
    either("libsodium-sys-stable", "cc", &["libsodium-dev", "pkg-config"], &["make"], &["libsodium23"]),
    // databases and queues
    either("libsqlite3-sys", "cc", &["libsqlite3-dev", "pkg-config"], &[], &["libsqlite3-0"]),
    either("pq-sys", "pq-src", &["libpq-dev", "pkg-config"], &["libssl-dev", "pkg-config"], &["libpq5"]),
    system("mysqlclient-sys", &["default-libmysqlclient-dev", "pkg-config"], &["libmariadb3"]),
    system("odbc-sys", &["unixodbc-dev"], &["libodbc2"]),
    bundled("librocksdb-sys", &["g++", "libclang-dev"]),
    bundled("libduckdb-sys", &["g++"]),
    bundled("rdkafka-sys", &["g++", "make"]),
    bundled("lmdb-master-sys", &[]),
    bundled("lmdb-rkv-sys", &["make"]),
    system("zmq-sys", &["libzmq3-dev", "pkg-config"], &["libzmq5"]),
    // compression, memory, text
    bundled("libz-sys", &[]),
    bundled("libz-ng-sys", &["cmake", "make"]),
    bundled("zstd-sys", &[]),
    bundled("bzip2-sys", &[]),
    bundled("lzma-sys", &[]),
    bundled("liblzma-sys", &[]),
    bundled("lz4-sys", &[]),
    bundled("libdeflate-sys", &[]),
    bundled("brotli-sys", &[]),
    bundled("tikv-jemalloc-sys", &["make"]),
    bundled("jemalloc-sys", &["make"]),
    bundled("libmimalloc-sys", &[]),
    bundled("snmalloc-sys", &["cmake", "g++", "make"]),
    bundled("onig_sys", &[]),
    bundled("link-cplusplus", &["g++"]),
    bundled("esaxx-rs", &["g++"]),
    bundled("libwebp-sys", &[]),
    bundled("mozjpeg-sys", &["nasm"]),
    bundled("rav1e", &["nasm"]),
    // repositories, networks, devices
    bundled("libgit2-sys", &[]),
    either("libssh2-sys", "openssl-src", &["libssl-dev", "pkg-config"], &["make", "perl"], &["libssl3t64"]),
    either("curl-sys", "openssl-src", &["libcurl4-openssl-dev", "pkg-config"], &[], &["libcurl4t64"]),
    either("libdbus-sys", "cc", &["libdbus-1-dev", "pkg-config"], &[], &["libdbus-1-3"]),
    system("libudev-sys", &["libudev-dev", "pkg-config"], &["libudev1"]),
    system("pcap", &["libpcap-dev"], &["libpcap0.8t64"]),
    system("pam-sys", &["libpam0g-dev"], &["libpam0g"]),
    system("libgssapi-sys", &["libclang-dev", "libkrb5-dev", "pkg-config"], &["libgssapi-krb5-2"]),
    // documents and pictures
    system("libxml", &["libclang-dev", "libxml2-dev", "pkg-config"], &["libxml2"]),
    system("cairo-sys-rs", &["libcairo2-dev", "pkg-config"], &["libcairo2"]),
    system("pango-sys", &["libpango1.0-dev", "pkg-config"], &["libpango-1.0-0"]),
    system("glib-sys", &["libglib2.0-dev", "pkg-config"], &["libglib2.0-0t64"]),
    system("gdk-pixbuf-sys", &["libgdk-pixbuf-2.0-dev", "pkg-config"], &["libgdk-pixbuf-2.0-0"]),
    system("magick_rust", &["libclang-dev", "libmagickwand-dev", "pkg-config"], &["libmagickwand-7.q16-10"]),
    either("freetype-sys", "cc", &["libfreetype-dev", "pkg-config"], &[], &["libfreetype6"]),
    system("servo-fontconfig-sys", &["libfontconfig-dev", "pkg-config"], &["libfontconfig1"]),
    system("yeslogic-fontconfig-sys", &["libfontconfig-dev", "pkg-config"], &["libfontconfig1"]),
    system(
        "ffmpeg-sys-next",
        &[
            "libavcodec-dev",
            "libavdevice-dev",
            "libavfilter-dev",
            "libavformat-dev",
            "libclang-dev",
            "libswresample-dev",
            "libswscale-dev",
            "pkg-config",
        ],
        &["libavdevice61", "libavfilter10"],
    ),
    system("leptonica-sys", &["libclang-dev", "libleptonica-dev", "pkg-config"], &["libleptonica6"]),
    system("tesseract-sys", &["libclang-dev", "libtesseract-dev", "pkg-config"], &["libtesseract5"]),
    // other languages
    system("pyo3-ffi", &["libpython3-dev", "python3"], &["libpython3.13"]),
    bundled("mlua-sys", &["pkg-config"]),
    // libraries that are looked for when the program runs
    loads("libloading", &[]),
    loads("dlopen", &[]),
    loads("dlopen2", &[]),
    loads("libdlopen", &[]),
    // generators
    generates("prost-build", PROTOC),
    generates("protobuf-codegen", PROTOC),
    generates("tonic-build", PROTOC),
    generates("tonic-prost-build", PROTOC),
    generates("bindgen", &["libclang-dev"]),
    generates("flatc-rust", &["flatbuffers-compiler"]),
    generates("capnpc", &["capnproto"]),
];

/// Crates that bring their bindings along for the common platforms and list the generator all the same.
const READY_BINDINGS: &[&str] = &["aws-lc-sys", "aws-lc-fips-sys"];

/// Packages with headers that only crates of the table ask for.
pub(super) fn headers_of_known_crates() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().flat_map(|known| known.system_build).copied().filter(|name| name.ends_with("-dev"))
}

/// What the native dependencies of a program ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) native: Vec<Native>,
    /// Debian packages of the build stage: name, the crate that asks for it and its place.
    pub(super) build: Vec<(String, String, String)>,
    /// Why the program cannot be linked statically.
    pub(super) dynamic: Option<(String, String)>,
    /// What asks for the full image of the compiler: why, and its place.
    pub(super) full: Option<(String, String)>,
}

impl Needs {
    /// Sorts out the packages that are compiled for the program.
    pub(super) fn of(reach: &Reach<'_>, switches: &Switches) -> Self {
        let mut needs = Self::default();
        for locked in reach.packages().filter(|locked| locked.external) {
            match KNOWN.iter().find(|known| known.name == locked.name) {
                Some(known) => needs.known(known, locked, reach, switches),
                None if locked.name.ends_with("-sys") || locked.name.ends_with("_sys") => needs.unknown(locked),
                None => {}
            }
        }
        needs
    }

    /// What is taken for granted when no lock file says what is compiled.
    pub(super) fn without_lock() -> Self {
        let why =
            || ("without Cargo.lock nobody knows what is compiled".to_owned(), "there is no Cargo.lock".to_owned());
        Self { dynamic: Some(why()), full: Some(why()), ..Self::default() }
    }

    fn known(&mut self, known: &Crate, locked: &Locked, reach: &Reach<'_>, switches: &Switches) {
        let from_system = match known.code {
            Code::Bundled if switches.is_off(known.name) => return,
            Code::Bundled => false,
            Code::System => true,
            Code::SystemUnless(source) => !reach.takes(known.name, source) || switches.is_off(known.name),
            Code::Loads => {
                // clang-sys loads the library of the generator, in the build
                if reach.wanted_beside(known.name, &["clang-sys"]) || !reach.has("clang-sys") {
                    self.dynamic.get_or_insert_with(|| {
                        (format!("{} looks for libraries when the program runs", known.name), locked.place())
                    });
                    self.add(known, locked, false, known.libraries);
                }
                return;
            }
            Code::Generates => {
                let superfluous = match known.name {
                    "bindgen" => !reach.wanted_beside("bindgen", READY_BINDINGS),
                    _ => known.system_build == PROTOC && BRING_PROTOC.iter().any(|name| reach.has(name)),
                };
                if !superfluous {
                    self.build_packages(known.system_build, locked);
                }
                return;
            }
        };
        if from_system {
            self.build_packages(known.system_build, locked);
            self.dynamic
                .get_or_insert_with(|| (format!("{} links with a library of the system", known.name), locked.place()));
            self.add(known, locked, false, known.libraries);
        } else {
            self.build_packages(known.bundled_build, locked);
            self.add(known, locked, true, &[]);
        }
    }

    fn unknown(&mut self, locked: &Locked) {
        if locked.looks_for_libraries() && !locked.compiles_sources() {
            self.dynamic
                .get_or_insert_with(|| (format!("{} links with a library of the system", locked.name), locked.place()));
        }
        if locked.compiles_sources() || locked.looks_for_libraries() {
            self.full.get_or_insert_with(|| {
                (format!("{} compiles C code or looks for a library", locked.name), locked.place())
            });
            self.native.push(Native {
                name: locked.name.clone(),
                compiles: locked.compiles_sources(),
                libraries: Vec::new(),
                why: locked.place(),
            });
        }
    }

    fn add(&mut self, known: &Crate, locked: &Locked, compiles: bool, libraries: &[&str]) {
        self.native.push(Native {
            name: known.name.to_owned(),
            compiles,
            libraries: libraries.iter().map(|library| (*library).to_owned()).collect(),
            why: locked.place(),
        });
    }

    fn build_packages(&mut self, packages: &[&str], locked: &Locked) {
        for package in packages {
            if !self.build.iter().any(|(known, ..)| known == package) {
                self.build.push(((*package).to_owned(), locked.name.clone(), locked.place()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::KNOWN;

    #[test]
    fn every_crate_is_known_once() {
        let mut names: Vec<&str> = KNOWN.iter().map(|known| known.name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
