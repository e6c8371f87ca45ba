//! What holds for every text.

use plim_dockerfile::ignore::{ParentMatches, Patterns};
use plim_dockerfile::stages::StageGraph;
use plim_dockerfile::words::{Lexer, NoEnv};
use plim_dockerfile::{Dockerfile, Kind, Span, parse, shell_split};
use proptest::prelude::*;

/// Checks what must hold for any file.
pub(crate) fn check(text: &str) -> Dockerfile {
    let file = parse(text);
    assert_eq!(file.to_string(), text, "printing gives back the source");
    let mut end = 0;
    for piece in &file.pieces {
        assert_eq!(piece.span.start, end, "pieces are contiguous");
        end = piece.span.end;
    }
    assert_eq!(end, text.len());
    let spans = file.instructions.iter().flat_map(|i| {
        let flags = i.flags.iter().flat_map(|flag| [Some(flag.span), flag.value.as_ref().map(|value| value.span)]);
        let flags = flags.flatten().chain(kind_spans(&i.kind));
        [i.span, i.name.span].into_iter().chain(flags).chain(i.args.iter().map(|arg| arg.span))
    });
    for span in spans.chain(file.errors.iter().map(|e| e.span)).chain(file.comments.iter().map(|c| c.span)) {
        assert!(text.get(span.start..span.end).is_some(), "{span:?} does not lie on characters");
    }
    for instruction in &file.instructions {
        let rest = instruction.rest();
        for command in shell_split::split(rest.text()) {
            for word in &command.words {
                assert!(rest.text().get(word.range.clone()).is_some());
            }
        }
        instruction.run_script();
    }
    let graph = StageGraph::new(&file, &[], &[]);
    let order = graph.order();
    assert_eq!(order.len(), graph.stages.len(), "every stage has a place in the order");
    file
}

fn kind_spans(kind: &Kind) -> Vec<Span> {
    match kind {
        Kind::Arg(args) => {
            args.iter().flat_map(|arg| [Some(arg.name.span), arg.default.as_ref().map(|d| d.span)]).flatten().collect()
        }
        Kind::Run(run) => run.mounts.iter().flat_map(|mount| &mount.options).map(|option| option.span).collect(),
        Kind::Onbuild(onbuild) => kind_spans(&onbuild.instruction.kind),
        _ => Vec::new(),
    }
}

fn piece() -> impl Strategy<Value = String> {
    let fragments = [
        "FROM a AS b",
        "FROM",
        "RUN",
        "COPY --from=b",
        "ADD",
        "ENV a=b",
        "ARG x",
        "ONBUILD",
        "HEALTHCHECK",
        "CMD",
        "[\"a\",",
        "\"b\"]",
        "<<EOF",
        "<<-\"E\"",
        "EOF",
        "E",
        "\\",
        "\\\n",
        "\n",
        "\r\n",
        " ",
        "\t",
        "#",
        "# escape=`",
        "`",
        "`\n",
        "--mount=",
        "type=bind,from=b",
        "--",
        "=",
        "'",
        "\"",
        "$",
        "${a:-b}",
        "$(",
        ")",
        "{",
        "}",
        ";",
        "&&",
        "|",
        "é",
        "\u{feff}",
        "\u{a0}",
        "!",
        "case x in",
        "esac",
        "if",
        "fi",
        "((",
        "))",
        "for",
        "do",
        "done",
        "0",
        "\0",
    ];
    prop_oneof![4 => proptest::sample::select(fragments.to_vec()).prop_map(str::to_owned), 1 => "\\PC{0,6}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_parse(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        check(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_mixture_of_syntax_parses(pieces in proptest::collection::vec(piece(), 0..40)) {
        check(&pieces.concat());
    }

    #[test]
    fn spans_of_plain_arguments_hold_the_arguments(pieces in proptest::collection::vec("[a-z./$]{1,8}", 2..6), gap in "[ \t]{1,3}|[ ]\\\\\n[ ]|\\\\ \n# c\n\n[ ]") {
        let text = format!("FROM x\nCOPY {}\n", pieces.join(&gap));
        let file = check(&text);
        let found: Vec<&str> = file.instructions[1].args.iter().map(|arg| file.text(arg.span)).collect();
        prop_assert_eq!(found, pieces);
    }

    #[test]
    fn any_word_expands_or_fails(word in "[$\\{\\}:#%/?*+a-c\"'\\\\< -]{0,30}") {
        for skip_unset in [false, true] {
            let _ = Lexer { skip_unset, ..Lexer::new('\\') }.process_word(&word, &NoEnv);
        }
    }

    #[test]
    fn plain_words_stay_as_they_are(word in "[a-zA-Z0-9_./:@=,+-]{0,20}") {
        prop_assert_eq!(Lexer::new('\\').process_word(&word, &NoEnv).unwrap().text, word);
    }

    #[test]
    fn walking_a_tree_finds_what_matching_single_paths_does(
        patterns in proptest::collection::vec("[ab*/?]{1,7}|\\*\\*/[ab]|[ab]/\\*\\*", 0..6),
        path in "[ab](/[abc]){0,4}",
    ) {
        let Ok(patterns) = Patterns::new(&patterns) else { return Ok(()) };
        let steps = walk(&patterns, &path);
        prop_assert_eq!(steps.last(), Some(&(path.as_str(), patterns.matches_or_parent_matches(&path))));
    }

    #[test]
    fn a_walk_enters_excluded_directories_that_hold_something(
        patterns in proptest::collection::vec("!?[ab*/?]{1,7}|!?\\*\\*/[ab]|!?[ab]/\\*\\*", 0..6),
        path in "[ab](/[abc]){0,4}",
    ) {
        let Ok(patterns) = Patterns::new(&patterns) else { return Ok(()) };
        let steps = walk(&patterns, &path);
        if let Some(((_, false), dirs)) = steps.split_last() {
            for (dir, _) in dirs.iter().filter(|(_, excluded)| *excluded) {
                prop_assert!(patterns.may_reinclude_below(dir), "the walk would not enter {dir}");
            }
        }
    }
}

/// Matches each directory of `path` and the path itself, one below the other.
fn walk<'p>(patterns: &Patterns, path: &'p str) -> Vec<(&'p str, bool)> {
    let mut parent = ParentMatches::default();
    let mut steps = Vec::new();
    for end in path.match_indices('/').map(|(at, _)| at).chain([path.len()]) {
        let (found, matches) = patterns.matches_below(&path[..end], &parent);
        parent = matches;
        steps.push((&path[..end], found));
    }
    steps
}
