//! "Did you mean …?"

/// Returns the option that `word` was most likely meant to be: the closest within two edits, unless `word` is one of
/// them already.
pub fn closest<'a>(word: &str, options: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let mut best = None;
    for option in options {
        let distance = strsim::levenshtein(&word, &option.to_lowercase());
        if distance == 0 {
            return None;
        }
        if distance <= 2 && best.is_none_or(|(nearest, _)| distance < nearest) {
            best = Some((distance, option));
        }
    }
    best.map(|(_, option)| option)
}

/// Returns the hint for a misspelt `word`.
pub(crate) fn hint<'a>(word: &str, options: impl IntoIterator<Item = &'a str>) -> Option<String> {
    closest(word, options).map(|option| format!("did you mean `{option}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_edits_are_a_typo_and_three_are_another_word() {
        assert_eq!(closest("FNTRYPOINT", ["ENV", "ENTRYPOINT"]), Some("ENTRYPOINT"));
        assert_eq!(closest("mont", ["mount", "network"]), Some("mount"));
        assert_eq!(closest("BADCMD", ["CMD", "ADD"]), None);
        assert_eq!(closest("mount", ["mount"]), None);
    }
}
