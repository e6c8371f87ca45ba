//! Changing a Dockerfile without touching what is not meant: every function returns an [`Edit`] of the source.

use plim_diag::{Edit, Fix, FixError};

use crate::ast::{Dockerfile, Instruction, PieceKind};
use crate::span::Span;

/// Returns the line end that the file uses: that of its first line.
pub fn line_end(file: &Dockerfile) -> &'static str {
    match file.source.find('\n') {
        Some(at) if file.source[..at].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// Returns the whole lines that the instruction with index `index` takes, with the last line end.
pub fn lines_of(file: &Dockerfile, index: usize) -> Option<Span> {
    file.pieces.iter().find(|piece| piece.kind == PieceKind::Instruction(index)).map(|piece| piece.span)
}

/// Returns the lines of [`lines_of`] together with the comment lines directly above.
pub fn lines_with_comments(file: &Dockerfile, index: usize) -> Option<Span> {
    let position = file.pieces.iter().position(|piece| piece.kind == PieceKind::Instruction(index))?;
    let (above, rest) = file.pieces.split_at(position);
    let own = rest.first()?.span;
    let comments = above.iter().rev().take_while(|piece| piece.kind == PieceKind::Comment);
    Some(comments.fold(own, |span, piece| span.cover(piece.span)))
}

/// Puts `text`, one or more instructions without a final line end, on lines of its own above the instruction.
pub fn insert_before(file: &Dockerfile, index: usize, text: &str) -> Option<Edit> {
    let lines = lines_of(file, index)?;
    Some(Edit::insert(lines.start, with_line_ends(file, text) + line_end(file)))
}

/// Puts `text`, one or more instructions without a final line end, on lines of its own below the instruction.
pub fn insert_after(file: &Dockerfile, index: usize, text: &str) -> Option<Edit> {
    let lines = lines_of(file, index)?;
    let text = with_line_ends(file, text);
    let end = line_end(file);
    let ended = file.text(lines).ends_with('\n');
    Some(Edit::insert(lines.end, if ended { text + end } else { format!("{end}{text}") }))
}

/// Replaces the instruction by `text`, one or more instructions without a final line end. Its indentation stays.
pub fn replace(file: &Dockerfile, instruction: &Instruction, text: &str) -> Edit {
    Edit::replace(instruction.span, with_line_ends(file, text))
}

/// Removes the lines of the instruction.
pub fn delete(file: &Dockerfile, index: usize) -> Option<Edit> {
    lines_of(file, index).map(Edit::delete)
}

/// Removes the lines of the instruction and the comments directly above.
pub fn delete_with_comments(file: &Dockerfile, index: usize) -> Option<Edit> {
    lines_with_comments(file, index).map(Edit::delete)
}

/// Adds a flag, such as `--link`, behind the keyword and the flags that are there.
pub fn add_flag(instruction: &Instruction, flag: &str) -> Edit {
    let end = instruction.flags.last().map_or(instruction.name.span.end, |last| last.span.end);
    Edit::insert(end, format!(" {flag}"))
}

/// Removes a flag of the instruction and the blanks before it.
pub fn remove_flag(file: &Dockerfile, instruction: &Instruction, name: &str) -> Option<Edit> {
    let flag = instruction.flag(name)?;
    let before = file.source.get(..flag.span.start)?;
    Some(Edit::delete(Span::new(before.trim_end_matches([' ', '\t']).len(), flag.span.end)))
}

/// Returns `source` with all `edits` made, which must not overlap.
pub fn apply(source: &str, edits: &[Edit]) -> Result<String, FixError> {
    plim_diag::apply(source, &[&Fix::safe("edit", edits.to_vec())])
}

fn with_line_ends(file: &Dockerfile, text: &str) -> String {
    match line_end(file) {
        "\n" => text.to_owned(),
        end => text.lines().collect::<Vec<_>>().join(end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    const TEXT: &str = "# top\r\nFROM a\r\n\r\n# why\r\n  RUN  --network=none \\\r\n  x\r\nUSER u";

    fn edited(edit: impl FnOnce(&Dockerfile) -> Option<Edit>) -> String {
        let file = parse(TEXT);
        apply(TEXT, &[edit(&file).unwrap()]).unwrap()
    }

    #[test]
    fn all_other_bytes_stay() {
        assert_eq!(edited(|f| insert_before(f, 1, "A\nB")), TEXT.replace("  RUN", "A\r\nB\r\n  RUN"));
        assert_eq!(edited(|f| insert_after(f, 2, "CMD x")), TEXT.to_owned() + "\r\nCMD x");
        assert_eq!(edited(|f| insert_after(f, 0, "CMD x")), TEXT.replace("FROM a\r\n", "FROM a\r\nCMD x\r\n"));
        assert_eq!(
            edited(|f| Some(replace(f, &f.instructions[1], "RUN y"))),
            "# top\r\nFROM a\r\n\r\n# why\r\n  RUN y\r\nUSER u"
        );
        assert_eq!(edited(|f| delete(f, 1)), "# top\r\nFROM a\r\n\r\n# why\r\nUSER u");
        assert_eq!(edited(|f| delete_with_comments(f, 1)), "# top\r\nFROM a\r\n\r\nUSER u");
        assert_eq!(edited(|f| Some(add_flag(&f.instructions[1], "--x"))), TEXT.replace("=none", "=none --x"));
        assert_eq!(edited(|f| remove_flag(f, &f.instructions[1], "network")), TEXT.replace("  --network=none", ""));
    }
}
