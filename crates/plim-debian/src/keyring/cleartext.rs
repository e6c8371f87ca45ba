//! The cleartext signature framework (RFC 9580, section 7), read strictly: one message and nothing else in the file.

const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----";
const END: &str = "-----END PGP SIGNATURE-----";

/// A message apart from its signature.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// The text that is signed: dashes unescaped, no blanks at line ends, LF between lines and none after the last.
    pub(super) text: String,
    /// The armoured signature block.
    pub(super) armor: String,
}

/// Splits a file. Text before or after the message, unknown headers and unescaped dashes are refused, since a reader
/// that is lax about them could be shown unsigned text.
pub(super) fn parse(bytes: &[u8]) -> Result<Message, String> {
    let file = std::str::from_utf8(bytes).map_err(|_| "the file is not UTF-8 text".to_owned())?;
    let mut lines = file.lines();
    if lines.next() != Some(BEGIN) {
        return Err("the file does not begin with a signed message".to_owned());
    }
    loop {
        match lines.next() {
            Some("") => break,
            Some(line) if line.starts_with("Hash: ") => {}
            Some(_) => return Err("the message has a header other than Hash".to_owned()),
            None => return Err("the message ends in its headers".to_owned()),
        }
    }
    let mut text = String::with_capacity(file.len());
    loop {
        match lines.next() {
            Some(SIGNATURE) => break,
            None => return Err("the message has no signature block".to_owned()),
            Some(line) => {
                let line = match line.strip_prefix('-') {
                    None => line,
                    Some(escaped) => {
                        escaped.strip_prefix(' ').ok_or_else(|| "a line begins with an unescaped dash".to_owned())?
                    }
                };
                text.push_str(line.trim_end_matches([' ', '\t', '\r']));
                text.push('\n');
            }
        }
    }
    // the line end before the signature block is not part of the signed text
    text.pop();
    let mut armor = String::from(SIGNATURE);
    armor.push('\n');
    loop {
        let line = lines.next().ok_or_else(|| "the signature block has no end".to_owned())?;
        armor.push_str(line);
        armor.push('\n');
        if line == END {
            break;
        }
        if line.starts_with("-----") {
            return Err("the signature block holds another block".to_owned());
        }
    }
    if lines.any(|line| !line.trim().is_empty()) {
        return Err("there is text after the signature".to_owned());
    }
    Ok(Message { text, armor })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nOrigin: x  \n- -dash\nlast\n-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n";

    #[test]
    fn text_is_what_was_signed() {
        let message = parse(GOOD.as_bytes()).unwrap();
        assert_eq!(message.text, "Origin: x\n-dash\nlast");
        assert!(message.armor.starts_with(SIGNATURE) && message.armor.ends_with("-----END PGP SIGNATURE-----\n"));
    }

    #[test]
    fn anything_around_or_inside_is_refused() {
        for (broken, why) in [
            (format!("Origin: evil\n{GOOD}"), "does not begin"),
            (format!("{GOOD}Origin: evil\n"), "after the signature"),
            (GOOD.replace("Hash: SHA256", "Comment: x"), "header"),
            (GOOD.replace("- -dash", "-dash"), "unescaped dash"),
            (GOOD.replace("-----END PGP SIGNATURE-----\n", ""), "no end"),
            (GOOD.replace("abc", BEGIN), "another block"),
            (BEGIN.to_owned(), "headers"),
            (format!("{BEGIN}\n\ntext"), "no signature block"),
        ] {
            let error = parse(broken.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{error} for {broken}");
        }
    }
}
