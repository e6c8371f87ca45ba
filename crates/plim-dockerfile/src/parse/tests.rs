//! Reading whole files.

use std::fmt::Write as _;

use crate::kind::{Command, HealthcheckTest, Kind, RunScript, Source};
use crate::{Dockerfile, ErrorKind, PieceKind, Warning, parse, parse_trigger};

fn errors(text: &str) -> String {
    let file = parse(text);
    let mut out = String::new();
    for error in &file.errors {
        let kind = if error.kind == ErrorKind::Syntax { " (syntax)" } else { "" };
        let hint = error.hint().map(|hint| format!(" [{hint}]")).unwrap_or_default();
        let place = file.text(error.span).lines().next().unwrap_or("nothing");
        writeln!(out, "{}: {}{kind}{hint} @ {place}", file.line(error.span.start), error.message).unwrap();
    }
    out
}

fn kind(file: &Dockerfile, index: usize) -> &Kind {
    &file.instructions[index].kind
}

#[test]
fn every_wrong_line_is_reported_and_the_rest_is_read() {
    let text = "FROM a b c\n\
        FROM a AS 9x\n\
        FROMM a\n\
        ENV x\n\
        ENV =y a=b\n\
        ENV a=b c\n\
        COPY a\n\
        COPY --form=x a b\n\
        COPY --link=perhaps --link --chown a b\n\
        COPY a <<EOF\nEOF\n\
        CMD [\"a\", 1]\n\
        SHELL bash -c\n\
        SHELL []\n\
        HEALTHCHECK CMD\n\
        HEALTHCHECK --interval=5 --retries=-1 CMD x\n\
        HEALTHCHECK NON\n\
        HEALTHCHECK NONE x\n\
        ONBUILD FROM x\n\
        ONBUILD\n\
        EXPOSE\n\
        USER\n\
        VOLUME [\" \"]\n\
        ARG\n\
        ARG =x\n\
        RUN --network=hots --mount=from=$x,target=/y true\n\
        RUN --device=a=b,name=c true\n\
        WORKDIR --x /y\n";
    insta::assert_snapshot!(errors(text), @r#"
    1: FROM takes an image, or an image and a name [write `FROM image AS name`] @ FROM
    2: `9x` cannot be the name of a stage [names begin with a letter and hold letters, digits, `-`, `_` and `.`] @ 9x
    3: there is no instruction `FROMM` [did you mean `FROM`?] @ FROMM
    4: ENV gives no value to `x` (syntax) [write `ENV x=value`] @ x
    5: ENV needs a name before the `=` @ nothing
    6: `c` has no `=` (syntax) [ENV takes `name=value`; put values with blanks in quotes] @ c
    7: COPY needs a source and a destination [write `COPY source destination`] @ COPY
    8: COPY does not know the flag `--form` [did you mean `--from`?] @ --form=x
    9: the flag `--link` is either true or false, not `perhaps` @ --link=perhaps
    9: the flag `--chown` needs a value @ --chown
    10: the destination of COPY cannot be a heredoc @ <<EOF
    12: a JSON array of arguments may only hold strings (syntax) [put the value in double quotes] @ 1
    13: SHELL takes a JSON array [write the program and its arguments as `SHELL ["/bin/bash", "-c"]`] @ SHELL
    14: SHELL needs a program [write the program and its arguments as `SHELL ["/bin/bash", "-c"]`] @ SHELL
    15: HEALTHCHECK CMD needs a command @ HEALTHCHECK
    16: `5` is no duration [durations are written like `30s` or `1m30s`] @ 5
    16: `-1` is no number of retries @ -1
    17: HEALTHCHECK does not know `NON` [did you mean `NONE`?] @ NON
    18: HEALTHCHECK NONE takes no arguments @ HEALTHCHECK
    19: ONBUILD cannot trigger FROM @ FROM
    20: ONBUILD has no instruction to run [write the instruction behind it: `ONBUILD COPY . .`] @ ONBUILD
    21: EXPOSE needs a port @ EXPOSE
    22: USER needs a user @ USER
    23: the path of a volume is empty @ " "
    24: ARG needs a name [write `ARG name` or `ARG name=default`] @ ARG
    25: ARG needs a name before the `=` @ =x
    26: there is no network `hots` [did you mean `host`?] @ hots
    26: `from` of a mount does not expand variables [give the stage a name: `FROM $image AS name`, then `from=name`] @ from=$x,target=/y
    27: the device is named twice @ a=b,name=c
    28: WORKDIR does not know the flag `--x` [WORKDIR takes no flags] @ --x
    "#);
}

#[test]
fn files_without_a_stage_are_refused() {
    let long = format!("FROM a\nRUN {}\n", "x".repeat(crate::MAX_LINE));
    let texts = ["", "# only\n\n", "ARG a\n", "RUN x\nFROM a\n", "FROM a\nRUN <<EOF\nx", &long];
    insta::assert_snapshot!(texts.map(errors).concat().replace("xx", ""), @r#"
    1: the file has no instructions (syntax) [a Dockerfile begins with `FROM image`] @ nothing
    1: the file has no instructions (syntax) [a Dockerfile begins with `FROM image`] @ nothing
    1: the file has no stage to build [a stage begins with `FROM image`] @ ARG
    1: RUN does not belong to a stage [only ARG may stand before the first FROM] @ RUN
    2: the heredoc `EOF` has no end (syntax) @ RUN <<EOF
    2: line is longer than 65535 bytes (syntax) [break it up with continuation lines, or COPY the data from a file] @ RUN x
    "#);
}

#[test]
fn directives_stand_before_everything_else() {
    let file = parse("# Escape = `\n#syntax=a/b:1 \n# check=skip=X\n# plain\n# escape=\\\nFROM a `\n  AS b\n");
    let found: Vec<_> = file.directives.iter().map(|d| (d.name.as_str(), d.value.value.as_str())).collect();
    assert_eq!(found, [("escape", "`"), ("syntax", "a/b:1"), ("check", "skip=X")]);
    assert_eq!((file.escape, file.instructions.len()), ('`', 1));
    assert_eq!(file.text(file.directives[1].value.span), "a/b:1");
    assert_eq!(file.instructions[0].comments, ["plain", "escape=\\"]);
    insta::assert_snapshot!(errors("# escape=`\n# escape=\\\nFROM a\n"), @r"2: the parser directive `escape` is given twice (syntax) [remove one of them] @ \");
    insta::assert_snapshot!(errors("# escape=x\nFROM a\n"), @r"1: `x` cannot be the escape character (syntax) [it is either a backslash or a backtick] @ x");
    assert!(parse("\n# escape=`\nFROM a\n").directives.is_empty());
}

#[test]
fn continuations_skip_comments_and_blank_lines() {
    let file = parse("\u{feff}FROM a\r\n RUN a \\\r\n  # why\r\n\r\n  b \\ \t\r\n&& c\r\nUSER u");
    let run = &file.instructions[1];
    assert_eq!(run.one_line(), "RUN a   b && c");
    assert_eq!((run.line, run.last_line), (2, 6));
    assert!(file.text(run.span).starts_with("RUN a \\\r\n") && file.text(run.span).ends_with("&& c"));
    assert_eq!(file.text(run.rest().span(4..8)), "b \\ \t\r\n&&");
    assert!(file.comments[0].inside && file.comments[0].text == "why");
    assert!(matches!(&file.warnings[..], [Warning::EmptyContinuation { spans, instruction: 1 }] if spans.len() == 1));
    assert_eq!(file.pieces[0].kind, PieceKind::ByteOrderMark);
    assert_eq!(file.errors, []);
    assert_eq!(file.line(file.instructions[2].span.start), 7);
}

#[test]
fn heredocs_keep_their_bodies() {
    let text = "FROM a\nRUN <<EOF\n\tone\n# two\nEOF\nRUN cat <<-'A B' 3<<C >x\n\t1\n\tA B\n2\nC\n\
                COPY --chmod=1 <<\"F\" g <<-H /x/\nf$x\nF\n\th\n\tH\nRUN <<-S\n\t#!/bin/x\n\ty\nS\nUSER u\n";
    let file = parse(text);
    assert_eq!(file.errors, []);
    assert_eq!(file.instructions.len(), 6);
    let script = |index: usize| file.instructions[index].run_script().unwrap();
    assert_eq!(script(1), RunScript::Shell("\tone\n# two\n".to_owned()));
    assert_eq!(script(2), RunScript::Shell("cat <<-'A B' 3<<C >x\n\t1\nA B\n2\nC".to_owned()));
    assert_eq!(file.instructions[2].heredocs[1].fd, 3);
    let copy = &file.instructions[3];
    assert!(!copy.heredocs[0].expand && copy.heredocs[1].expand);
    assert_eq!(copy.heredocs[1].content(), "h\n");
    assert_eq!(file.text(copy.heredocs[0].terminator), "F");
    let Kind::Copy(copy) = &copy.kind else { panic!("no COPY") };
    assert!(matches!(&copy.sources[..], [Source::Heredoc(0), Source::Path(g), Source::Heredoc(1)] if g.value == "g"));
    assert_eq!(script(4), RunScript::File { name: "S".to_owned(), content: "#!/bin/x\ny\n".to_owned() });
    // nothing that only looks like one
    let plain = parse("FROM a\nRUN cat<<EOF\nRUN x <<<y\nRUN echo \"<<EOF\" '<<E'\nRUN [\"<<EOF\"]\nENV a=<<EOF\n");
    assert_eq!(plain.errors, []);
    assert!(plain.instructions.iter().all(|instruction| instruction.heredocs.is_empty()));
}

#[test]
fn json_that_is_none_is_shell_text() {
    let file = parse(
        "FROM a\nCMD ['a']\nCMD [ \"a\" , \"b c\" ]\nENTRYPOINT []\nRUN [\"a\"] && b\nHEALTHCHECK --timeout=1m cmd [\"x\"]\n",
    );
    assert_eq!(file.errors, []);
    assert!(matches!(kind(&file, 1), Kind::Cmd(Command::Shell(text)) if text.value == "['a']"));
    let Kind::Cmd(Command::Exec(words)) = kind(&file, 2) else { panic!("no exec form") };
    assert_eq!(file.text(words[1].span), "\"b c\"");
    assert!(matches!(kind(&file, 3), Kind::Entrypoint(command) if command.is_empty()));
    assert!(matches!(kind(&file, 4), Kind::Run(run) if run.command.shell().is_some()));
    let Kind::Healthcheck(health) = kind(&file, 5) else { panic!("no check") };
    assert!(matches!(&health.test, HealthcheckTest::Command(Command::Exec(words)) if words.len() == 1));
    assert_eq!(health.timeout.map(|timeout| timeout.as_secs()), Some(60));
}

#[test]
fn pairs_know_how_they_were_written() {
    let file = parse("FROM a\nENV a  b c=d \nENV a=\"b c\" d=e\\ f\nLABEL x y\nARG a b=c\\\n d e=\n");
    let Kind::Env(old) = kind(&file, 1) else { panic!("no ENV") };
    assert!(old[0].legacy && old[0].value.value == "b c=d");
    let Kind::Env(new) = kind(&file, 2) else { panic!("no ENV") };
    let texts: Vec<_> = new.iter().map(|pair| (pair.key.value.as_str(), pair.value.value.as_str())).collect();
    assert_eq!(texts, [("a", "\"b c\""), ("d", "e\\ f")]);
    assert_eq!(file.text(new[1].value.span), "e\\ f");
    let Kind::Arg(args) = kind(&file, 4) else { panic!("no ARG") };
    let found: Vec<_> =
        args.iter().map(|a| (file.text(a.name.span), a.default.as_ref().map(|d| file.text(d.span)))).collect();
    assert_eq!(found, [("a", None), ("b", Some("c")), ("d", None), ("e", Some(""))]);
}

#[test]
fn descriptions_come_from_the_comments_above() {
    let file = parse("# v the version\n\n# other\nARG v=1 w\n# gone\n#\n# build makes it\nFROM a AS Build\n");
    let Kind::Arg(args) = kind(&file, 0) else { panic!("no ARG") };
    assert_eq!((args[0].description.as_deref(), args[1].description.as_deref()), (Some("the version"), None));
    let Kind::From(from) = kind(&file, 1) else { panic!("no FROM") };
    assert_eq!(from.description.as_deref(), Some("makes it"));
    assert_eq!(file.instructions[1].comments, ["build makes it"]);
}

#[test]
fn triggers_are_read_back_as_they_were_written() {
    let file = parse("FROM a\nonbuild  COPY --link \\\n <<E /x\n\tbody\nE\nONBUILD FOO x\n");
    assert_eq!(file.errors, []);
    let Kind::Onbuild(onbuild) = kind(&file, 1) else { panic!("no ONBUILD") };
    assert_eq!(onbuild.expression, "COPY --link  <<E /x\n\tbody\nE");
    let Kind::Copy(inner) = &onbuild.instruction.kind else { panic!("no COPY") };
    assert_eq!(file.text(inner.dest.span), "/x");
    let again = parse_trigger(&onbuild.expression);
    assert_eq!(again.errors, []);
    assert_eq!(again.instructions[0].heredocs[0].raw, "\tbody\n");
    let Kind::Onbuild(unknown) = kind(&file, 2) else { panic!("no ONBUILD") };
    assert_eq!(unknown.errors.len(), 1);
    assert!(!parse_trigger("RUN a\nRUN b").errors.is_empty());
}
