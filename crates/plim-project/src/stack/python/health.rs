//! The path that tells whether the program is well.

use super::super::health::{self, PATHS};
use super::Context;
use super::sources::Sources;

/// Returns the path and where it is said: the flag, the author's HEALTHCHECK, the sources, or `/`.
pub(super) fn find(context: &Context<'_>, sources: &Sources) -> (String, String) {
    if let Some((path, line)) = health::said(context.choices, context.declared) {
        return (path, line.map_or_else(|| "--health".to_owned(), |line| context.at(line)));
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
