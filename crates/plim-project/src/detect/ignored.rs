//! The author's ignore file as it is seen from a folder below the context.

use camino::Utf8Path;
use plim_dockerfile::ignore::{PatternError, Patterns};

/// Reads an ignore file for a project that lies `below` the context: the same files are excluded, by their paths in the project.
pub(super) fn patterns(text: &str, below: &Utf8Path) -> Result<Patterns, PatternError> {
    let all = Patterns::parse(text)?;
    if below.as_str().is_empty() {
        return Ok(all);
    }
    let folders: Vec<&str> = below.as_str().split('/').collect();
    let mut seen = Vec::new();
    for pattern in all.patterns() {
        let parts: Vec<&str> = pattern.text().split('/').filter(|part| !part.is_empty()).collect();
        let sign = if pattern.is_negative() { "!" } else { "" };
        for rest in rests(&parts, &folders) {
            // the project's folder itself, and so all that is in it
            let rest = if rest.is_empty() { "**".to_owned() } else { rest.join("/") };
            seen.push(format!("{sign}{rest}"));
        }
    }
    Patterns::new(&seen)
}

/// What is left of a pattern behind the folders: none where it does not lead there, several where `**` leaves a choice.
fn rests<'a>(parts: &[&'a str], folders: &[&str]) -> Vec<Vec<&'a str>> {
    let Some((folder, inner)) = folders.split_first() else { return vec![parts.to_vec()] };
    match parts.split_first() {
        // it matches a folder above, which takes everything below along
        None => vec![Vec::new()],
        Some((&"**", rest)) => {
            let mut all = rests(rest, folders);
            all.extend(rests(parts, inner));
            all.sort_unstable();
            all.dedup();
            all
        }
        Some((part, rest)) if Patterns::new([part]).is_ok_and(|one| one.matches(folder)) => rests(rest, inner),
        Some(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_are_seen_from_below() {
        let patterns =
            patterns("**/*.pyc\nservices/*/tests\nweb\n*.md\n*\n!services\n", "services/api".into()).unwrap();
        let shown: Vec<_> = patterns.patterns().iter().map(|one| (one.is_negative(), one.text())).collect();
        assert_eq!(shown, [(false, "**/*.pyc"), (false, "tests"), (false, "**"), (true, "**")]);
    }

    proptest! {
        #[test]
        fn the_same_files_are_excluded(
            lines in proptest::collection::vec("!?(\\*\\*/)?(api|a\\*|b|\\*)(/(api|\\*\\*|x|\\*))?", 0..5),
            path in "(api|x|b)(/(api|x|b)){0,2}",
        ) {
            let text = lines.join("\n");
            let above = Patterns::parse(&text).unwrap();
            let below = patterns(&text, "api".into()).unwrap();
            prop_assert_eq!(above.excludes(format!("api/{path}")), below.excludes(&path), "{} of {:?}", path, lines);
        }
    }
}
