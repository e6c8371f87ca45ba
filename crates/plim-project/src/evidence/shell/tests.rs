use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

fn setting() -> Setting {
    let variables = [("V", "1.2"), ("PKGS", "a b")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    Setting { variables: variables.into(), cwd: "/srv".to_owned() }
}

fn show(text: &str) -> String {
    let script = read(text, &setting());
    let mut out = String::new();
    for command in &script.commands {
        let marks: String = [(command.nested, '$'), (command.piped, '<'), (command.feeds, '|')]
            .into_iter()
            .filter_map(|(is, mark)| is.then_some(mark))
            .collect();
        write!(out, "{} {}{marks}", command.segment, command.cwd).unwrap();
        for (name, value) in &command.env {
            write!(out, " {name}={value}").unwrap();
        }
        write!(out, " {:?}", command.words).unwrap();
        if !command.writes.is_empty() {
            write!(out, " > {:?}", command.writes).unwrap();
        }
        if !command.wrappers.is_empty() {
            write!(out, " by {:?}", command.wrappers).unwrap();
        }
        out.push('\n');
    }
    if script.opaque {
        out.push_str("opaque\n");
    }
    out
}

#[test]
fn lists_pipes_and_groups_are_walked() {
    insta::assert_snapshot!(show("set -e; a 1 && cd x && b | tee -a 'y z' >/dev/null || c; (cd /d; e) & { f; g; } > ../h 2>&1\ni"), @r#"
    0 /srv ["set", "-e"]
    1 /srv ["a", "1"]
    1 /srv ["cd", "x"]
    1 /srv/x| ["b"]
    1 /srv/x< ["tee", "-a", "y z"]
    1 /srv/x ["c"]
    2 /srv/x ["cd", "/d"]
    2 /d ["e"]
    3 /srv/x ["f"] > ["../h"]
    3 /srv/x ["g"] > ["../h"]
    4 /srv/x ["i"]
    "#);
}

#[test]
fn branches_and_loops_are_walked() {
    insta::assert_snapshot!(show("A=1; if [ -f x ]; then A=2; b $A; elif c; then :; else d; fi; e $A; for p in x y; do mkdir /d/$p; done; for i in *.tgz; do tar xf $i; done; while f; do g; done; case $B in l) h ;; *) j ;; esac; k() { m; }; k"), @r#"
    1 /srv ["[", "-f", "x", "]"]
    1 /srv ["b", "2"]
    1 /srv ["c"]
    1 /srv [":"]
    1 /srv ["d"]
    2 /srv ["e", "$A"]
    3 /srv ["mkdir", "/d/x"]
    3 /srv ["mkdir", "/d/y"]
    4 /srv ["tar", "xf", "$i"]
    5 /srv ["f"]
    5 /srv ["g"]
    6 /srv ["h"]
    6 /srv ["j"]
    7 /srv ["m"]
    "#);
}

#[test]
fn values_are_put_in_where_they_are_certain() {
    insta::assert_snapshot!(show(r#"X=$V-$(uname -m); Y=a; apt-get install $PKGS "$PKGS" c=$V ${Y}b $X $Z ${Q:-q} '$V' \$V "a\"b"; mkdir -p /{a,b}/{c,d}; N=1 m"#), @r#"
    0 /srv$ ["uname", "-m"]
    2 /srv ["apt-get", "install", "a", "b", "a b", "c=1.2", "ab", "$X", "$Z", "q", "$V", "$V", "a\"b"]
    3 /srv ["mkdir", "-p", "/a/c", "/a/d", "/b/c", "/b/d"]
    4 /srv N=1 ["m"]
    "#);
}

#[test]
fn wrappers_are_taken_away() {
    insta::assert_snapshot!(show(r#"sudo -E -u root A=1 apt-get update; env -i B=2 exec nice -n 5 x; bash -o pipefail -lc "cd /q && y \"$V\" | z"; tini -- sh -c 'exec app'; su app -c "p q"; gosu app r; xargs -r -n 1 rm; timeout 5 t; command -v u; eval "v w"; time -p s"#), @r#"
    0 /srv A=1 ["apt-get", "update"] by ["sudo"]
    1 /srv B=2 ["x"] by ["env", "exec", "nice"]
    2 /srv ["cd", "/q"]
    2 /q| ["y", "1.2"]
    2 /q< ["z"]
    3 /srv ["app"] by ["tini", "exec"]
    4 /srv ["p", "q"] by ["su"]
    5 /srv ["r"] by ["gosu"]
    6 /srv ["rm"] by ["xargs"]
    7 /srv ["t"] by ["timeout"]
    8 /srv ["command", "-v", "u"]
    9 /srv ["v", "w"]
    10 /srv ["s"]
    "#);
}

#[test]
fn here_documents_stay_with_their_list() {
    let script = read("a && cat <<EOF > /etc/x && b\nhello; world $(c)\nEOF\nd && e; f", &setting());
    let texts: Vec<_> = script.segments.iter().map(|part| (part.before.as_str(), part.text.as_str())).collect();
    assert_eq!(
        texts,
        [("", "a && cat <<EOF > /etc/x && b\nhello; world $(c)\nEOF"), ("\n", "d"), ("&&", "e"), (";", "f")]
    );
    insta::assert_snapshot!(show("cat <<EOF > /etc/x && b\nhello; world $(c)\nEOF\nd"), @r#"
    0 /srv$ ["c"]
    0 /srv ["cat"] > ["/etc/x"]
    0 /srv ["b"]
    1 /srv ["d"]
    "#);
}

#[test]
fn parts_keep_groups_and_alternatives_whole() {
    let script = read("a&&b || c;(d;e) >f\n{ g; } && h || true\n! i && j", &setting());
    let texts: Vec<_> = script.segments.iter().map(|part| part.text.as_str()).collect();
    assert_eq!(texts, ["a&&b || c", "(d;e) >f", "{ g; } && h || true", "! i", "j"]);
}

#[test]
fn what_cannot_be_read_is_said() {
    for text in ["if x; then", "a &&", "echo )", "'"] {
        assert!(read(text, &Setting::default()).opaque, "{text}");
    }
    assert!(!read("", &Setting::default()).opaque);
}

#[test]
fn hostile_scripts_are_bounded() {
    let deep = |open: &str, close: &str| format!("{}a{}", open.repeat(20_000), close.repeat(20_000));
    for text in [
        deep("(", ")"),
        deep("{ ", "; }"),
        deep("$(", ")"),
        deep("\"$(", ")\""),
        deep("if a; then ", "; fi"),
        format!("sh -c {}", "'sh -c '".repeat(500)),
        "A=$A$A".repeat(3_000),
        format!("A=aaaaaaaa\n{}", "A=$A$A$A$A\n".repeat(5_000)),
        format!("{} b; {}", "for a in 1 2 3 4 5 6 7 8; do ".repeat(30), "done; ".repeat(30)),
        "a && ".repeat(10_000),
        "a | ".repeat(900) + "b",
        "a || ".repeat(900) + "b",
        "{a,b}".repeat(2_000),
        "eval eval eval eval eval eval eval x".to_owned(),
        "x".repeat(MAX_TEXT + 1),
        format!("A='{}'\nb {}", "c ".repeat(400), "$A".repeat(20_000)),
    ] {
        let script = read(&text, &Setting::default());
        assert!(script.commands.len() <= MAX_STEPS);
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,60}") {
        read(&text, &setting());
    }

    #[test]
    fn no_syntax_makes_it_panic(parts in proptest::collection::vec(
        prop::sample::select(vec![
            "if ", "then ", "fi ", "for ", "in ", "do ", "done ", "case ", "esac ", "{ ", "} ", "( ", ") ", "$(", "`",
            "\"", "'", "&& ", "|| ", "| ", "; ", ";; ", "\n", "<<E", "E\n", "> ", "$A", "${A:-", "}", "A=", "\\", "ö", "a ",
            "sh -c ", "[[ ", "]] ", "$((", "))", "<(", "~", "*", "{a,b}", "! ", "function f ", "#", "eval ", "cd ",
        ]), 0..40)) {
        let text: String = parts.concat();
        let script = read(&text, &setting());
        for part in &script.segments {
            prop_assert!(text.contains(&part.text));
        }
    }
}
