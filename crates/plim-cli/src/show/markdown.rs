//! GitHub Flavored Markdown (<https://github.github.com/gfm/>) that no name can break out of.

use super::names::{fit, fit_path};

/// Columns that a name may take in a table.
const NAME: usize = 120;
/// Columns of a sentence.
const SENTENCE: usize = 300;

/// Returns a name as code: a code span where nothing in it has a meaning, an HTML element with entities otherwise (in a table, GFM
/// 4.10 gives `|` and `\` a meaning inside code spans too).
pub(crate) fn code(name: &str) -> String {
    let name = fit_path(name, NAME, "…");
    if name.is_empty() {
        return String::new();
    }
    if name.chars().all(|c| !matches!(c, '`' | '|' | '\\')) && name.trim() == name {
        return format!("`{name}`");
    }
    let mut out = String::from("<code>");
    for character in name.chars() {
        if character.is_ascii_punctuation() {
            out.push_str(&format!("&#{};", u32::from(character)));
        } else {
            out.push(character);
        }
    }
    out.push_str("</code>");
    out
}

/// Returns a sentence with every character escaped that begins emphasis, a link, code, HTML or a table cell. Addresses do not become
/// links (GFM 6.9).
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::new();
    for character in fit(text, SENTENCE, "…").replace("www.", "www\u{1}").replace("://", "\u{2}//").chars() {
        match character {
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '|' | '~' | '#' | '!' | '@' => {
                out.extend(['\\', character]);
            }
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\u{1}' => out.push_str("\\."),
            '\u{2}' => out.push_str("\\:"),
            other => out.push(other),
        }
    }
    out
}

/// A table; numbers are right-aligned.
#[derive(Debug)]
pub(crate) struct Table {
    head: String,
    rows: Vec<String>,
}

impl Table {
    /// Returns a table with these column titles; one that begins with `>` is right-aligned.
    pub(crate) fn new(titles: &[&str]) -> Self {
        let names: Vec<&str> = titles.iter().map(|title| title.trim_start_matches('>')).collect();
        let lines: Vec<&str> = titles.iter().map(|title| if title.starts_with('>') { "---:" } else { "---" }).collect();
        Self { head: format!("| {} |\n| {} |\n", names.join(" | "), lines.join(" | ")), rows: Vec::new() }
    }

    /// Adds a row of cells that are Markdown already.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(format!("| {} |\n", Vec::from(cells).join(" | ")));
    }

    /// Returns the first `rows` rows, and up to `more` others behind a fold. Nothing where there are no rows.
    pub(crate) fn render(&self, rows: usize, more: usize) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let shown = rows.min(self.rows.len());
        let mut out = if shown > 0 { format!("{}{}\n", self.head, self.rows[..shown].concat()) } else { String::new() };
        let rest = &self.rows[shown..];
        if rest.is_empty() {
            return out;
        }
        let folded = &rest[..more.min(rest.len())];
        // the empty lines around the table are what makes it Markdown again inside of HTML (GFM 4.6)
        let all = crate::numbers::count(rest.len() as u64);
        out.push_str(&format!(
            "<details><summary>{}</summary>\n\n{}{}\n",
            if shown == 0 { format!("all {all}") } else { format!("{all} more") },
            self.head,
            folded.concat()
        ));
        let left = rest.len() - folded.len();
        if left > 0 {
            out.push_str(&format!("… and {} more in `-o json`\n\n", crate::numbers::count(left as u64)));
        }
        out.push_str("</details>\n\n");
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_are_code_spans() {
        assert_eq!(code("/usr/lib/x86_64-linux-gnu/libc.so.6"), "`/usr/lib/x86_64-linux-gnu/libc.so.6`");
    }

    #[test]
    fn names_with_a_meaning_are_entities() {
        assert_eq!(code("a|b"), "<code>a&#124;b</code>");
        assert_eq!(code("a`b"), "<code>a&#96;b</code>");
        assert_eq!(code("</details>"), "`</details>`");
        assert_eq!(code("</details>|"), "<code>&#60;&#47;details&#62;&#124;</code>");
        assert_eq!(code("x\n| y"), "<code>x &#124; y</code>");
    }

    #[test]
    fn sentences_are_words_and_nothing_else() {
        assert_eq!(
            plain("see [this](http://x.example) | <b> *now* & @you at www.x.example"),
            "see \\[this\\](http\\://x.example) \\| &lt;b&gt; \\*now\\* &amp; \\@you at www\\.x.example"
        );
    }

    #[test]
    fn long_tables_are_folded_and_very_long_ones_cut() {
        let mut table = Table::new(&[">size", "name"]);
        for number in 0..5 {
            table.row([number.to_string(), code("x")]);
        }
        let text = table.render(2, 2);
        insta::assert_snapshot!(text, @r"
        | size | name |
        | ---: | --- |
        | 0 | `x` |
        | 1 | `x` |

        <details><summary>3 more</summary>

        | size | name |
        | ---: | --- |
        | 2 | `x` |
        | 3 | `x` |

        … and 1 more in `-o json`

        </details>
        ");
        assert_eq!(Table::new(&["a"]).render(2, 2), "");
    }
}
