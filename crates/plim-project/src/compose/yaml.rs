//! YAML within bounds: text, lists and maps with their lines, anchors and merge keys resolved.
//!
//! Scalars stay the text that was written, because that is what Compose makes of them in the end: `1.10` is a version
//! and no number.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle};

/// The most nodes of a file, aliases counted as often as they are used: a few lines of aliases of aliases would fill any memory.
const MAX_NODES: usize = 20_000;

/// How deep nodes may be nested.
const MAX_DEPTH: usize = 64;

/// The most bytes of a file.
const MAX_BYTES: usize = 1 << 20;

/// A node and the line where it begins, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The line, from 1.
    pub line: usize,
    /// What it is.
    pub value: Value,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing, or `null`.
    Null,
    /// A scalar, as it was written.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Keys in order of first use.
    Map(Vec<(String, Node)>),
}

/// Why a file is not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl Node {
    /// The value of a key; nothing for what is no map.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let Value::Map(pairs) = &self.value else { return None };
        pairs.iter().find(|(name, _)| name == key).map(|(_, node)| node).filter(|node| node.value != Value::Null)
    }

    /// The text of a scalar; nothing for anything else.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The items of a list; none for anything else.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The pairs of a map; none for anything else.
    pub fn pairs(&self) -> &[(String, Node)] {
        match &self.value {
            Value::Map(pairs) => pairs,
            _ => &[],
        }
    }

    fn count(&self) -> usize {
        1 + match &self.value {
            Value::List(items) => items.iter().map(Self::count).sum(),
            Value::Map(pairs) => pairs.iter().map(|(_, node)| node.count()).sum(),
            Value::Null | Value::Text(_) => 0,
        }
    }
}

/// A list or map that is not complete yet.
struct Open {
    anchor: usize,
    line: usize,
    is_map: bool,
    /// The items of a list; keys and values of a map in turn.
    nodes: Vec<Node>,
}

/// Reads the first document of a text.
pub fn read(text: &str) -> Result<Node, Mistake> {
    if text.len() > MAX_BYTES {
        return Err(Mistake { line: 1, message: "the file is too large".to_owned() });
    }
    let mut open: Vec<Open> = Vec::new();
    let mut anchors: BTreeMap<usize, Node> = BTreeMap::new();
    let mut nodes = 0;
    for event in Parser::new_from_str(text.trim_start_matches('\u{feff}')) {
        let (event, span) =
            event.map_err(|error| Mistake { line: error.marker().line(), message: error.info().to_owned() })?;
        let line = span.start.line();
        let refuse = |what: &str| Mistake { line, message: what.to_owned() };
        let (anchor, node) = match event {
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() >= MAX_DEPTH => {
                return Err(refuse("it is nested too deeply"));
            }
            Event::SequenceStart(anchor, _) => {
                open.push(Open { anchor, line, is_map: false, nodes: Vec::new() });
                continue;
            }
            Event::MappingStart(anchor, _) => {
                open.push(Open { anchor, line, is_map: true, nodes: Vec::new() });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(closed) = open.pop() else { return Err(refuse("it ends what never began")) };
                let value = if closed.is_map { map(closed.nodes) } else { Value::List(closed.nodes) };
                (closed.anchor, Node { line: closed.line, value })
            }
            Event::Scalar(text, style, anchor, _) => {
                let null = style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                (anchor, Node { line, value: if null { Value::Null } else { Value::Text(text.into_owned()) } })
            }
            Event::Alias(anchor) => {
                let Some(node) = anchors.get(&anchor) else { return Err(refuse("an alias has no anchor")) };
                nodes += node.count();
                if nodes > MAX_NODES {
                    return Err(refuse("it is too large"));
                }
                (0, node.clone())
            }
            Event::DocumentEnd => break,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => continue,
        };
        nodes += 1;
        if nodes > MAX_NODES {
            return Err(refuse("it is too large"));
        }
        if anchor != 0 {
            // a copy is as large as what it copies, so it counts as well
            nodes += node.count();
            anchors.insert(anchor, node.clone());
        }
        match open.last_mut() {
            Some(parent) => parent.nodes.push(node),
            None => return Ok(node),
        }
    }
    Ok(Node { line: 1, value: Value::Null })
}

/// Puts keys and values together. A later key wins; what `<<` brings along is for keys that are not there.
fn map(nodes: Vec<Node>) -> Value {
    let mut pairs: Vec<(String, Node)> = Vec::new();
    let mut merged: Vec<Node> = Vec::new();
    let mut nodes = nodes.into_iter();
    while let (Some(key), Some(value)) = (nodes.next(), nodes.next()) {
        let Value::Text(key) = key.value else { continue };
        if key == "<<" {
            match value.value {
                Value::List(items) => merged.extend(items),
                _ => merged.push(value),
            }
            continue;
        }
        match pairs.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = value,
            None => pairs.push((key, value)),
        }
    }
    for node in merged {
        if let Value::Map(more) = node.value {
            for (key, value) in more {
                if !pairs.iter().any(|(known, _)| *known == key) {
                    pairs.push((key, value));
                }
            }
        }
    }
    Value::Map(pairs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn anchors_and_merge_keys_are_resolved() {
        let text = "x: &base\n  a: 1.10\n  b: \"null\"\ny:\n  <<: *base\n  a: [x, ~]\n";
        let node = read(text).unwrap();
        let y = node.get("y").unwrap();
        assert_eq!((y.line, y.get("a").unwrap().items().len()), (5, 2));
        assert_eq!(y.get("b").and_then(Node::text), Some("null"));
        assert_eq!(node.get("x").and_then(|x| x.get("a")).and_then(Node::text), Some("1.10"));
    }

    #[test]
    fn a_file_of_aliases_of_aliases_is_refused() {
        let mut text = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for (name, of) in ["b", "c", "d", "e", "f", "g", "h"].iter().zip(["a", "b", "c", "d", "e", "f", "g"]) {
            text.push_str(&format!("{name}: &{name} [{}]\n", vec![format!("*{of}"); 9].join(", ")));
        }
        assert_eq!(read(&text).unwrap_err().message, "it is too large");
        let deep = "[".repeat(200);
        assert!(read(&deep).is_err());
    }

    #[test]
    fn mistakes_have_a_line() {
        assert_eq!(read("a: 1\nb: [x\nc: 2\n").unwrap_err().line, 3);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[-a&*<>:{},\\[\\]\"'|?!#% \n\t]{0,60}") {
            let _ = read(&text);
        }
    }
}
