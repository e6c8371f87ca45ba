//! Dependencies that are more than portable code, and what they ask of the images.

use super::manager::Manager;
use super::{Context, author, programs};
use crate::evidence::Declared;
use crate::project::{Native, StackProfile};

/// The package of the program `openssl`, by which Prisma finds out which library it is to load.
const OPENSSL: &str = "openssl";

/// Finds them in the lock, or by the names in the manifest; with `all` those for developers too.
pub(super) fn find(context: &Context<'_>, manager: &Manager, all: bool) -> Vec<Native> {
    let manifest = context.manifest;
    let mut native: Vec<Native> = Vec::new();
    let mut add = |name: &str, compiles: bool, libraries: &[&str], why: String| {
        if !native.iter().any(|known| known.name == name) {
            let libraries = libraries.iter().map(|library| (*library).to_owned()).collect();
            native.push(Native { name: name.to_owned(), compiles, libraries, why });
        }
    };
    if let Some(lock) = &manager.npm_lock {
        for (name, package) in lock.packages().filter(|(_, package)| all || !package.dev) {
            // bcrypt brings its parts along since version 6
            let old_bcrypt =
                name == "bcrypt" && package.version.as_deref().is_some_and(|version| !is_at_least(version, 6));
            let old_sharp = name == "sharp"
                && package
                    .version
                    .as_deref()
                    .is_some_and(|version| version.starts_with("0.") && !is_at_least(&version[2..], 33));
            if package.has_install_script && (programs::is_compiled(name) || old_bcrypt || old_sharp) {
                add(name, true, programs::libraries(name), lock.path.to_string());
            }
        }
    }
    let development = manifest.dev_dependencies.iter().filter(|_| all);
    for (name, range) in manifest.dependencies.iter().chain(&manifest.optional_dependencies).chain(development) {
        if programs::is_compiled(name) {
            add(name, true, programs::libraries(name), manifest.at(name));
        } else if name == "@prisma/client" && !is_at_least(range, 7) {
            add(name, false, &[OPENSSL], manifest.at(name));
        }
    }
    if context.folder.has("binding.gyp") {
        add(manifest.name.as_deref().unwrap_or("the project"), true, &[], "binding.gyp".to_owned());
    }
    native
}

/// Whether the first number of a version or range is at least that.
fn is_at_least(version: &str, least: u32) -> bool {
    let digits: String = version.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    digits.parse::<u32>().is_ok_and(|major| major >= least)
}

/// Why the dependencies of a profile can only be installed with compilers at hand, if so.
pub(crate) fn needs_full_base(profile: &StackProfile, declared: &Declared) -> Option<String> {
    if let Some(native) = profile.native.iter().find(|native| native.compiles) {
        return Some(format!("{} is compiled where it has nothing ready-made ({})", native.name, native.why));
    }
    let (name, line) = if let Some(known) = author::read(declared, &|_| false).compiler {
        known
    } else {
        let tools = ["build-essential", "gcc", "g++", "make", "python3", "git"];
        let package = declared.packages.iter().find(|package| {
            package.for_build && (package.name.ends_with("-dev") || tools.contains(&package.name.as_str()))
        })?;
        (package.name.clone(), package.line)
    };
    Some(format!("the author's build installs {name} (line {line})"))
}

/// Whether the program `openssl` must be in the images, and who asks for it.
pub(crate) fn wants_openssl(profile: &StackProfile) -> Option<&Native> {
    profile.native.iter().find(|native| native.libraries.iter().any(|library| library == OPENSSL))
}
