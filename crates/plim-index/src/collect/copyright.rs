//! Debian copyright files in the machine-readable format (Debian policy, "copyright-format" 1.0).

use std::collections::BTreeSet;

use plim_oci::EntryHead;

use super::paragraph::paragraphs;
use super::{Collector, Want};
use crate::LayerIndex;
use crate::facts::CopyrightFact;

/// The longest licence name that is believed; longer ones are prose in the wrong place.
const MAX_NAME: usize = 200;

/// Reads the names of licences.
pub(super) struct Copyright;

impl Collector for Copyright {
    fn name(&self) -> &'static str {
        "copyright"
    }

    fn wants(&self, head: &EntryHead) -> Want {
        let package = head.path.strip_prefix(b"usr/share/doc/").and_then(|rest| rest.strip_suffix(b"/copyright"));
        if package.is_some_and(|name| !name.contains(&b'/')) { Want::Whole } else { Want::Nothing }
    }

    fn take(&self, _head: &EntryHead, content: &[u8], index: &mut LayerIndex) {
        let mut licenses = BTreeSet::new();
        for (number, paragraph) in paragraphs(content).enumerate() {
            // free-form files begin with prose instead
            if number == 0 && paragraph.get("Format").or(paragraph.get("Format-Specification")).is_none() {
                return;
            }
            let name = paragraph.first_line("License");
            licenses.extend(name.filter(|name| name.len() <= MAX_NAME));
        }
        if !licenses.is_empty() {
            let entry = index.current();
            index.copyrights.push(CopyrightFact { entry, licenses: licenses.into_iter().collect() });
        }
    }
}

#[cfg(test)]
mod tests {
    use plim_oci::EntryKind;

    use super::*;

    fn licenses(content: &[u8]) -> Vec<String> {
        let mut index = LayerIndex::empty();
        let head = EntryHead::new("usr/share/doc/x/copyright", EntryKind::File, 0o644);
        assert_eq!(Copyright.wants(&head), Want::Whole);
        Copyright.take(&head, content, &mut index);
        index.copyrights.pop().map(|fact| fact.licenses).unwrap_or_default()
    }

    #[test]
    fn names_are_sorted_and_texts_left_out() {
        let text = b"Format: https://example.org/1.0/\n\nFiles: *\nLicense: MIT\n\nFiles: a\nLicense: Apache-2.0 or MIT\n\nLicense: MIT\n Permission is hereby\n";
        assert_eq!(licenses(text), ["Apache-2.0 or MIT", "MIT"]);
    }

    #[test]
    fn prose_names_no_licences() {
        assert!(licenses(b"This package was made by hand.\nLicense: see below\n").is_empty());
    }
}
