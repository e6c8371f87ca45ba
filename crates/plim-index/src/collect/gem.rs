//! Ruby: the specifications of installed gems, as RubyGems writes them (`Gem::Specification#to_ruby`).

use bstr::{BStr, ByteSlice};
use plim_oci::EntryHead;

use super::{Collector, Want};
use crate::facts::{GemRecord, PackageFact, PackageRecord};
use crate::{LayerIndex, paths};

/// The largest specification that is read, in bytes; lists of files make them large.
const MAX_SIZE: u64 = 4 * 1024 * 1024;

/// How many dependencies are kept of one gem.
const MAX_LISTED: usize = 10_000;

/// Reads installed gems.
pub(super) struct Gem;

/// Says whether a path is that of an installed gem's specification; those inside of gems are sources.
fn is_specification(path: &BStr) -> bool {
    if !path.ends_with(b".gemspec") {
        return false;
    }
    let directory = paths::split(path).0;
    let (parent, name) = paths::split(directory);
    name == "specifications" || (name == "default" && paths::name(parent) == "specifications")
}

impl Collector for Gem {
    fn name(&self) -> &'static str {
        "gem"
    }

    fn wants(&self, head: &EntryHead) -> Want {
        let wanted = is_specification(head.path.as_bstr()) && head.size <= MAX_SIZE;
        if wanted { Want::Whole } else { Want::Nothing }
    }

    fn take(&self, head: &EntryHead, content: &[u8], index: &mut LayerIndex) {
        let entry = index.current();
        let record = record(&content.to_str_lossy(), paths::name(head.path.as_bstr()));
        let record = record.map(|record| PackageRecord::Gem(Box::new(record)));
        index.packages.extend(record.map(|record| PackageFact { entry, record }));
    }
}

/// Reads a specification without running it: the lines that RubyGems writes, and the comment `stub: NAME VERSION
/// PLATFORM` above them. The name of the file is `NAME-VERSION[-PLATFORM].gemspec`.
fn record(content: &str, file: &BStr) -> Option<GemRecord> {
    let mut record = GemRecord::default();
    for line in content.lines().map(str::trim) {
        if let Some(stub) = line.strip_prefix("# stub: ") {
            let mut words = stub.split_whitespace();
            words.next().unwrap_or_default().clone_into(&mut record.name);
            words.next().unwrap_or_default().clone_into(&mut record.version);
            words.next().unwrap_or_default().clone_into(&mut record.platform);
            continue;
        }
        let Some(statement) = line.strip_prefix("s.") else { continue };
        if let Some(arguments) = dependency(statement) {
            let mut texts = literals(arguments);
            if let Some(name) = texts.next().filter(|_| record.dependencies.len() < MAX_LISTED) {
                let requirements: Vec<String> = texts.collect();
                record.dependencies.push(format!("{name} {}", requirements.join(", ")).trim_end().to_owned());
            }
            continue;
        }
        let Some((field, value)) = statement.split_once('=') else { continue };
        let one = || literals(value).next().filter(|text| !text.is_empty());
        let unless_known = |known: &mut String| {
            if let Some(text) = one().filter(|_| known.is_empty()) {
                *known = text;
            }
        };
        match field.trim() {
            "name" => unless_known(&mut record.name),
            "version" => unless_known(&mut record.version),
            "platform" => unless_known(&mut record.platform),
            "summary" => record.summary = one(),
            "homepage" => record.homepage = one(),
            "author" | "authors" => record.author = one(),
            "license" | "licenses" => record.licenses = literals(value).take(MAX_LISTED).collect(),
            _ => {}
        }
    }
    if record.name.is_empty() || record.version.is_empty() {
        let (name, version, platform) = file_name(file)?;
        (record.name, record.version) = (name, version);
        record.platform = platform.unwrap_or(record.platform);
    }
    if record.platform.is_empty() {
        "ruby".clone_into(&mut record.platform);
    }
    Some(record)
}

/// Returns the arguments of a call that adds a dependency at run time.
fn dependency(statement: &str) -> Option<&str> {
    ["add_runtime_dependency", "add_dependency"].iter().find_map(|call| statement.strip_prefix(call))
}

/// Returns the texts between quotes or in `%q<…>`, backslashes of quotes taken away.
fn literals(ruby: &str) -> impl Iterator<Item = String> {
    let mut rest = ruby;
    std::iter::from_fn(move || {
        let start = rest.find(['"', '\'', '%'])?;
        let (open, after) = rest[start..].split_at(1);
        let (close, after) = match open {
            "%" => {
                let Some(after) = after.strip_prefix("q<") else {
                    rest = after;
                    return Some(None);
                };
                ('>', after)
            }
            "'" => ('\'', after),
            _ => ('"', after),
        };
        let mut text = String::new();
        let mut chars = after.char_indices();
        while let Some((at, c)) = chars.next() {
            if c == close {
                rest = &after[at + c.len_utf8()..];
                return Some(Some(text));
            }
            text.push(if c == '\\' { chars.next().map_or('\\', |(_, next)| next) } else { c });
        }
        rest = "";
        Some(None)
    })
    .flatten()
}

/// Takes the name of a specification's file apart: the version is the first part that begins with a digit and has
/// a dot, or the last that is a number.
fn file_name(file: &BStr) -> Option<(String, String, Option<String>)> {
    let stem = file.to_str().ok()?.strip_suffix(".gemspec")?;
    let parts: Vec<&str> = stem.split('-').collect();
    let is_version = |part: &&str| part.starts_with(|c: char| c.is_ascii_digit());
    let at = (1..parts.len())
        .find(|at| is_version(&parts[*at]) && parts[*at].contains('.'))
        .or_else(|| (1..parts.len()).rfind(|at| is_version(&parts[*at])))?;
    let platform = parts[at + 1..].join("-");
    Some((parts[..at].join("-"), parts[at].to_owned(), Some(platform).filter(|text| !text.is_empty())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOKOGIRI: &str = r#"# -*- encoding: utf-8 -*-
# stub: nokogiri 1.16.2 x86_64-linux lib

Gem::Specification.new do |s|
  s.name = "nokogiri".freeze
  s.version = "1.16.2"
  s.platform = "x86_64-linux".freeze
  s.required_rubygems_version = Gem::Requirement.new(">= 0".freeze) if s.respond_to? :required_rubygems_version=
  s.authors = ["Mike \"M\" D".freeze, "Other".freeze]
  s.homepage = "https://nokogiri.org".freeze
  s.licenses = ["MIT".freeze, "Apache-2.0".freeze]
  s.summary = "100% XML".freeze
  s.add_runtime_dependency(%q<racc>.freeze, ["~> 1.4".freeze, ">= 1.4.1".freeze])
  s.add_development_dependency(%q<rake>.freeze, ["~> 13".freeze])
end
"#;

    #[test]
    fn a_specification_is_read_without_ruby() {
        let gem = record(NOKOGIRI, b"nokogiri-1.16.2-x86_64-linux.gemspec".as_bstr()).unwrap();
        assert_eq!(
            (gem.name.as_str(), gem.version.as_str(), gem.platform.as_str()),
            ("nokogiri", "1.16.2", "x86_64-linux")
        );
        assert_eq!(gem.author.as_deref(), Some("Mike \"M\" D"));
        assert_eq!(gem.licenses, ["MIT", "Apache-2.0"]);
        assert_eq!(gem.summary.as_deref(), Some("100% XML"));
        assert_eq!(gem.dependencies, ["racc ~> 1.4, >= 1.4.1"]);
    }

    #[test]
    fn without_the_comment_the_statements_and_then_the_file_name_count() {
        let text = "Gem::Specification.new do |s|\n  s.name = \"rake\"\n  s.version = Gem::Version.new(\"13.0\")\n";
        let gem = record(text, b"x.gemspec".as_bstr()).unwrap();
        assert_eq!((gem.name.as_str(), gem.version.as_str(), gem.platform.as_str()), ("rake", "13.0", "ruby"));
        let gem = record("s.version = VERSION", b"net-http2-0.18.5-java.gemspec".as_bstr()).unwrap();
        assert_eq!((gem.name.as_str(), gem.version.as_str(), gem.platform.as_str()), ("net-http2", "0.18.5", "java"));
        assert_eq!(record("", b"x.gemspec".as_bstr()), None);
    }

    #[test]
    fn only_specifications_of_installed_gems_count() {
        let is = |path: &str| is_specification(path.as_bytes().as_bstr());
        assert!(is("usr/lib/ruby/gems/3.3.0/specifications/rake-13.gemspec"));
        assert!(is("usr/lib/ruby/gems/3.3.0/specifications/default/json-2.gemspec"));
        assert!(!is("usr/lib/ruby/gems/3.3.0/gems/rake-13/rake.gemspec"));
        assert!(!is("app/default/x.gemspec"));
    }

    #[test]
    fn odd_ruby_never_panics() {
        for text in [
            "s.name = \"",
            "s.name = %",
            "s.name = %q<",
            "s.name = '\\",
            "s.add_dependency",
            "# stub: ",
            "s.é = 'é\\é'",
        ] {
            let _ = record(text, b"".as_bstr());
        }
    }
}
