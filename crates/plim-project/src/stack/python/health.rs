//! The path that tells whether the program is well.

use super::Context;
use super::sources::Sources;
use crate::stack::health::{self, PATHS};

/// Returns the path and where it is said: the flag, the author's HEALTHCHECK, the sources, or `/`.
pub(super) fn find(context: &Context<'_>, sources: &Sources) -> (String, String) {
    if let Some(path) = &context.choices.health {
        return (path.clone(), "--health".to_owned());
    }
    if let Some((path, line)) = health::declared(context.declared) {
        return (path, context.at(line));
    }
    for path in PATHS {
        for quote in ['"', '\''] {
            if let Some(place) = sources.find(&format!("{quote}{path}{quote}")) {
                return ((*path).to_owned(), place);
            }
        }
        // Django's patterns begin without a slash and often end with one
        let relative = path.trim_start_matches('/');
        for pattern in [format!("path(\"{relative}\""), format!("path('{relative}'")] {
            if let Some(place) = sources.find(&pattern) {
                return ((*path).to_owned(), place);
            }
        }
        for pattern in [format!("path(\"{relative}/\""), format!("path('{relative}/'")] {
            if let Some(place) = sources.find(&pattern) {
                return (format!("{path}/"), place);
            }
        }
    }
    ("/".to_owned(), "no path of that kind in the sources".to_owned())
}
