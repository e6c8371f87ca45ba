//! What looks like a secret: tokens that begin with the letters of their issuer, private keys, passwords in addresses.
//!
//! One pass over every text file searches all literals at once; what stands behind a literal decides whether it is
//! noted. Where it stands and how long it is are kept, its bytes never are. Whether it matters is for a query to say.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use bstr::ByteSlice;
use plim_oci::EntryHead;

use self::rules::{Body, RULES, Rule};
use super::{Collector, Want};
use crate::LayerIndex;
use crate::facts::SecretFact;

mod rules;

/// The largest file that is searched, in bytes; secrets are in sources, configuration and logs.
const MAX_SIZE: u64 = 5 * 1024 * 1024;

/// How much of a file tells whether it is text: text has no zero byte.
const SNIFFED: usize = 8192;

/// How many are noted of one file.
const MAX_FOUND: usize = 100;

/// The longest private key, in bytes; one of 16384 bits has 13 thousand.
const MAX_KEY: usize = 64 * 1024;

/// The longest user name and password in an address.
const MAX_LOGIN: usize = 256;

/// The longest token, in bytes.
const MAX_TOKEN: usize = 4096;

static LITERALS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostLongest)
        .kind(Some(AhoCorasickKind::DFA))
        .build(RULES.iter().map(|rule| rule.literal))
        .expect("a hundred short literals fit into a table")
});

/// Notes candidates for secrets.
pub(super) struct Secret;

impl Collector for Secret {
    fn name(&self) -> &'static str {
        "secret"
    }

    fn wants(&self, head: &EntryHead) -> Want {
        if (1..=MAX_SIZE).contains(&head.size) { Want::Head(MAX_SIZE as usize) } else { Want::Nothing }
    }

    fn take(&self, _head: &EntryHead, content: &[u8], index: &mut LayerIndex) {
        if content[..content.len().min(SNIFFED)].contains(&0) {
            return;
        }
        let entry = index.current();
        let found = candidates(content).take(MAX_FOUND);
        index.secrets.extend(found.map(|(rule, offset, length)| SecretFact {
            entry,
            rule: rule.name.to_owned(),
            offset: offset as u64,
            length: u32::try_from(length).unwrap_or(u32::MAX),
        }));
    }
}

/// Finds candidates: the rule, where it begins and how long it is.
fn candidates(content: &[u8]) -> impl Iterator<Item = (&'static Rule, usize, usize)> {
    let mut end = 0;
    LITERALS.find_iter(content).filter_map(move |found| {
        let rule = RULES.get(found.pattern().as_usize())?;
        let (start, length) = candidate(rule, content, found.start(), found.end())?;
        // a token inside of another one is part of it
        if start < end {
            return None;
        }
        end = start + length;
        Some((rule, start, length))
    })
}

/// Looks at what stands around a literal.
fn candidate(rule: &Rule, content: &[u8], start: usize, end: usize) -> Option<(usize, usize)> {
    let rest = &content[end..];
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let inside_a_word = content[..start].last().is_some_and(word);
    match rule.body {
        Body::Token { set, least } => {
            let length = rest.iter().take(MAX_TOKEN).take_while(|byte| set.has(**byte)).count();
            (!inside_a_word && length >= least && varied(&rest[..length])).then_some((start, end - start + length))
        }
        Body::Key => {
            let title = rest.find(b"-----").filter(|length| *length <= 40)?;
            if !rest[..title].ends_with(b"PRIVATE KEY") && !rest[..title].ends_with(b"PRIVATE KEY BLOCK") {
                return None;
            }
            let rest = &rest[..rest.len().min(MAX_KEY)];
            // a title alone is source code that looks for keys
            let last = rest.find(b"-----END").filter(|last| *last >= title + 40)?;
            Some((start, end - start + last))
        }
        Body::Login => {
            let scheme = content[..start].iter().rev().take(20).take_while(|byte| word(byte) || **byte == b'+').count();
            let login = rest.iter().take(MAX_LOGIN).position(|byte| b"@/?# \t\r\n\"'<>`\\".contains(byte))?;
            let colon = rest[..login].find_byte(b':')?;
            let password = &rest[colon + 1..login];
            // `$PASSWORD`, `{password}`, `%s` and the like stand for one
            let placeholder = password.iter().any(|byte| b"${}%*()[],;".contains(byte));
            let found = scheme > 0 && rest[login] == b'@' && !password.is_empty() && !placeholder;
            found.then_some((start - scheme, scheme + end - start + login))
        }
        Body::Jwt => {
            // three parts of base64url, the second of which is an object too
            let mut parts = rest.split(|byte| *byte == b'.');
            let header = parts.next()?;
            if header.len() > MAX_TOKEN || !header.iter().all(|byte| rules::Set::Url.has(*byte)) {
                return None;
            }
            let claims = rest.get(header.len() + 1..)?;
            let length = claims.iter().take(2 * MAX_TOKEN).take_while(|byte| rules::Set::Url.has(**byte)).count();
            let signature = claims[length..].strip_prefix(b".")?;
            let tail = signature.iter().take(MAX_TOKEN).take_while(|byte| rules::Set::Url.has(**byte)).count();
            let found = !inside_a_word && claims.starts_with(b"eyJ") && length >= 10 && tail >= 20;
            found.then_some((start, end - start + header.len() + 1 + length + 1 + tail))
        }
    }
}

/// Says whether a token has at least five different bytes: `xxxxxxxx` and `00000000` stand for one.
fn varied(token: &[u8]) -> bool {
    let mut seen = [false; 256];
    token.iter().filter(|byte| !std::mem::replace(&mut seen[usize::from(**byte)], true)).nth(4).is_some()
}

#[cfg(test)]
mod tests {
    use plim_oci::EntryKind;

    use super::*;

    fn found(text: &str) -> Vec<(&'static str, &str)> {
        candidates(text.as_bytes()).map(|(rule, start, length)| (rule.name, &text[start..start + length])).collect()
    }

    /// Puts a token together at run time, so that no scanner takes this file for a leak.
    fn token(prefix: &str, length: usize) -> String {
        prefix.chars().chain("aB3dE5gH7jK9mN1pQ2sT4vW6".chars().cycle().take(length)).collect()
    }

    #[test]
    fn every_rule_finds_what_it_is_for() {
        for rule in RULES {
            let Body::Token { set, least } = rule.body else { continue };
            let body: String = (33..127_u8).filter(|byte| set.has(*byte)).map(char::from).cycle().take(least).collect();
            let text = format!("key = '{}{body}'\n", String::from_utf8_lossy(rule.literal));
            let names: Vec<&str> = found(&text).iter().map(|found| found.0).collect();
            assert_eq!(names, [rule.name], "{text}");
        }
    }

    #[test]
    fn a_token_needs_its_length_its_border_and_some_variety() {
        let good = token("ghp_", 36);
        assert_eq!(found(&format!("TOKEN={good}\n")), [("github-token", good.as_str())]);
        for bad in [token("ghp_", 20), format!("x{good}"), format!("ghp_{}", "x".repeat(36))] {
            assert_eq!(found(&bad), [], "{bad}");
        }
    }

    #[test]
    fn keys_logins_and_signed_tokens_are_recognised_by_their_shape() {
        let body = "MIIE\n".repeat(20);
        let key = format!("-----BEGIN RSA PRIVATE KEY-----\n{body}-----END RSA PRIVATE KEY-----\n");
        assert_eq!(found(&key)[0].0, "private-key");
        assert_eq!(found(&key.replace("PRIVATE", "PUBLIC")), []);
        assert_eq!(found("grep -----BEGIN PRIVATE KEY-----\n"), []);

        assert_eq!(found("x=postgres://app:hunter2@db:5432/x"), [("login-in-url", "postgres://app:hunter2")]);
        for bad in ["postgres://app@db/x", "http://host:80/a@b", "https://u:$PW@h", "https://u:{pw}@h", "https://u:@h"]
        {
            assert_eq!(found(bad), [], "{bad}");
        }

        let jwt = format!("{}.{}.{}", token("eyJ", 20), token("eyJ", 20), token("", 30));
        assert_eq!(found(&jwt), [("json-web-token", jwt.as_str())]);
        assert_eq!(found("eyJ2ZXJzaW9uIjozfQ=="), []);
    }

    #[test]
    fn only_text_is_searched_and_no_more_than_so_many_are_noted() {
        let take = |content: &[u8]| {
            let mut index = LayerIndex::empty();
            Secret.take(&EntryHead::new("x", EntryKind::File, 0o644), content, &mut index);
            index.secrets
        };
        let text = format!("{}\n", token("ghp_", 36));
        assert_eq!(take(text.repeat(1000).as_bytes()).len(), MAX_FOUND);
        assert!(take(format!("\0{text}").as_bytes()).is_empty());
        let fact = &take(format!("ab {text}").as_bytes())[0];
        assert_eq!((fact.offset, fact.length), (3, 40));
        let head = |size| EntryHead { size, ..EntryHead::new("x", EntryKind::File, 0o644) };
        assert_eq!(Secret.wants(&head(MAX_SIZE + 1)), Want::Nothing);
        assert_eq!(Secret.wants(&head(0)), Want::Nothing);
    }

    #[test]
    fn literals_at_the_end_of_a_file_are_harmless() {
        for rule in RULES {
            let text = [b"a://".as_slice(), rule.literal, b".", rule.literal].concat();
            for cut in 0..text.len() {
                let _ = candidates(&text[..cut]).count();
            }
        }
    }
}
