//! Debian packages in an image that has no package manager.

use minijinja::{Value, context};

use super::text;
use crate::project::StackProfile;

/// Returns the context of the template `libraries` for packages on top of a base without a package manager, or, where the
/// base has one (`None`), for its last stage to install them.
pub(super) fn context(profile: &StackProfile, base: Option<&str>) -> Value {
    let Some(base) = base else {
        return context! {
            libraries => "",
            libraries_why => "",
            system => profile.system.join(" "),
            system_why => text::reason(&why(profile)),
        };
    };
    context! {
        libraries => profile.system.join(" "),
        libraries_base => base,
        libraries_why => text::reason(&why(profile)),
        system => "",
        system_why => "",
    }
}

/// Returns what each package is for.
fn why(profile: &StackProfile) -> String {
    let by_package = profile
        .native
        .iter()
        .filter(|native| !native.libraries.is_empty())
        .map(|native| format!("{} for {} ({})", native.libraries.join(", "), native.name, native.why));
    let by_author = profile
        .found
        .iter()
        .filter_map(|finding| Some(format!("{} ({})", finding.what.strip_prefix("system package ")?, finding.why)));
    by_package.chain(by_author).collect::<Vec<_>>().join(", ")
}
