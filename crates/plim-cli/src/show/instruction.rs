//! The instruction that made a layer, as its author wrote it.

/// Hexadecimal digits of a checksum that are shown.
const CHECKSUM: usize = 12;
/// From so many digits on a word is taken for a checksum: SHA-1 has 40.
const CHECKSUM_FROM: usize = 40;

/// Returns a history entry (`created_by` of the image configuration) without what builders add to it: the shell that they
/// call, `#(nop)`, the values of build arguments (`|2 A=1 B=2`), `# buildkit`, whole checksums.
pub(crate) fn clean(created_by: &str) -> String {
    let text = created_by.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.strip_suffix("# buildkit").map_or(text.as_str(), str::trim_end);
    // BuildKit names the instruction and then what Docker's old builder wrote without it
    let (named, rest) = match text.strip_prefix("RUN ") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (arguments, rest) = if rest.starts_with('|') { (true, after_arguments(rest)) } else { (false, rest) };
    let text = match after_shell(rest) {
        Some(command) => match command.strip_prefix("#(nop)") {
            Some(instruction) => instruction.trim_start().to_owned(),
            None => format!("RUN {command}"),
        },
        None if named || arguments => format!("RUN {rest}"),
        None => rest.to_owned(),
    };
    shorten_checksums(&text)
}

/// The part after `|2 A=1 B=2`: nobody quotes the values, so the shell that follows them is what tells where they end.
fn after_arguments(text: &str) -> &str {
    let found =
        [" /bin/sh -", " /bin/bash -", " /bin/ash -", " /bin/dash -"].iter().filter_map(|shell| text.find(shell)).min();
    found.map_or(text, |at| &text[at + 1..])
}

/// The command that a shell is called with: `/bin/bash -o pipefail -c COMMAND`.
fn after_shell(text: &str) -> Option<&str> {
    let (shell, mut rest) = text.split_once(' ')?;
    if !matches!(shell.rsplit('/').next(), Some("sh" | "bash" | "ash" | "dash")) || !shell.starts_with('/') {
        return None;
    }
    loop {
        let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
        match word {
            _ if after.is_empty() => return None,
            "-c" => return Some(after),
            // options, and the name that follows -o
            "pipefail" | "errexit" | "nounset" | "xtrace" => rest = after,
            option if option.starts_with('-') && option.ends_with('c') => return Some(after),
            option if option.starts_with('-') => rest = after,
            _ => return None,
        }
    }
}

/// `ADD file:3fc1… in /`: of a run of at least 40 hexadecimal digits the first dozen.
fn shorten_checksums(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let run = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
        let shown = if run >= CHECKSUM_FROM { CHECKSUM } else { run };
        out.push_str(&rest[..shown]);
        let end = rest[run..].chars().next().map_or(run, |c| run + c.len_utf8());
        out.push_str(&rest[run..end]);
        rest = &rest[end..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn what_builders_add_is_left_out() {
        let cases = [
            ("/bin/sh -c #(nop)  CMD [\"python3\"]", "CMD [\"python3\"]"),
            (
                "/bin/sh -c apt-get update  &&     apt-get install -y curl",
                "RUN apt-get update && apt-get install -y curl",
            ),
            ("RUN /bin/sh -c pip install -r requirements.txt # buildkit", "RUN pip install -r requirements.txt"),
            ("COPY . /app # buildkit", "COPY . /app"),
            ("|2 A=1 B=two words /bin/sh -c make install", "RUN make install"),
            ("RUN |1 VERSION=1 /bin/bash -o pipefail -c make | tee log # buildkit", "RUN make | tee log"),
            ("RUN /bin/bash -euxc make", "RUN make"),
            ("RUN /bin/sh script.sh", "RUN /bin/sh script.sh"),
            ("RUN [\"/bin/true\"]", "RUN [\"/bin/true\"]"),
            (
                "/bin/sh -c #(nop) ADD file:9d282119af0c42bc823c95b4192a3350cf2cad670622017356dd2e637762e425 in / ",
                "ADD file:9d282119af0c in /",
            ),
            ("bazel build ...", "bazel build ..."),
            ("", ""),
            ("|", "RUN |"),
        ];
        for (written, shown) in cases {
            assert_eq!(clean(written), shown);
        }
    }

    #[test]
    fn commits_of_a_dozen_digits_stay_whole() {
        assert_eq!(clean("COPY deadbeef0123 größe /x"), "COPY deadbeef0123 größe /x");
    }

    #[test]
    fn no_text_makes_it_panic() {
        for text in ["RUN ", "/bin/sh", "/bin/sh -c", "RUN /bin/sh -c ", "# buildkit", "|1 é /bin/sh -c é"] {
            let _ = clean(text);
        }
        assert_eq!(clean("RUN /bin/sh -c "), "RUN /bin/sh -c");
    }
}
