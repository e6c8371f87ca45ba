//! `# check=`: the directive with which BuildKit's linter is told what not to look for, and whether findings stop a build.

use plim_dockerfile::Dockerfile;

/// What BuildKit calls plim's rules.
const NAMES: &[(&str, &str)] = &[
    ("ConsistentInstructionCasing", "instruction-casing"),
    ("CopyIgnoredFile", "copy-ignored"),
    ("DuplicateStageName", "duplicate-stage"),
    ("ExposeInvalidFormat", "expose-mapping"),
    ("ExposeProtoCasing", "expose-casing"),
    ("FromAsCasing", "from-as-casing"),
    ("FromPlatformFlagConstDisallowed", "constant-platform"),
    ("InvalidDefaultArgInFrom", "invalid-base-default"),
    ("InvalidDefinitionDescription", "definition-description"),
    ("JSONArgsRecommended", "exec-form"),
    ("LegacyKeyValueFormat", "legacy-key-value"),
    ("MaintainerDeprecated", "maintainer"),
    ("MultipleInstructionsDisallowed", "repeated-instruction"),
    ("NoEmptyContinuation", "empty-continuation"),
    ("RedundantTargetPlatform", "redundant-platform"),
    ("ReservedStageName", "reserved-stage"),
    ("SecretsUsedInArgOrEnv", "secret-variable"),
    ("StageNameCasing", "stage-name-casing"),
    ("UndefinedArgInFrom", "undefined-base-argument"),
    ("UndefinedVar", "undefined-variable"),
    ("WorkdirRelativePath", "relative-workdir"),
];

/// Rules that are looked for only where that is asked for.
const EXPERIMENTAL: &[&str] = &["definition-description"];

/// What may be said in `# check=`, for those who said something else.
pub const CHECK_OPTIONS: &str =
    "the options are `skip=RULE,RULE`, `experimental=RULE` and `error=true`, separated by semicolons";

/// What `# check=` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checks {
    /// Rules that are not wanted, by BuildKit's name or plim's.
    skip: Vec<String>,
    /// None is wanted.
    skip_all: bool,
    /// Rules that are wanted although they are experimental.
    experimental: Vec<String>,
    /// All of those are wanted.
    experimental_all: bool,
    /// A finding stops the build.
    pub error: bool,
    /// The first word that says nothing; BuildKit does not build with one.
    pub unknown: Option<String>,
}

impl Checks {
    /// Returns what the directive of a Dockerfile says; nothing where there is none.
    pub fn of(file: &Dockerfile) -> Self {
        file.directive("check").map(|directive| Self::parse(&directive.value)).unwrap_or_default()
    }

    /// Reads `skip=A,B;error=true`. Rules that are unknown say nothing, as to BuildKit.
    pub fn parse(text: &str) -> Self {
        let mut checks = Self::default();
        for part in text.split(';') {
            match part.split_once('=').map(|(name, value)| (name.trim(), value.trim())) {
                Some(("skip", "all")) => checks.skip_all = true,
                Some(("skip", names)) => checks.skip.extend(names.split(',').map(|name| name.trim().to_owned())),
                Some(("experimental", "all")) => checks.experimental_all = true,
                Some(("experimental", names)) => {
                    checks.experimental.extend(names.split(',').map(|name| name.trim().to_owned()));
                }
                Some(("error", value)) => checks.error = value.eq_ignore_ascii_case("true") || value == "1",
                _ if part.trim().is_empty() => {}
                option => {
                    let word = option.map_or(part.trim(), |(name, _)| name);
                    checks.unknown.get_or_insert_with(|| word.to_owned());
                }
            }
        }
        checks
    }

    /// Says whether findings of a rule are wanted.
    pub fn wants(&self, rule: &str) -> bool {
        // what cannot be built is no matter of taste
        if rule == super::SYNTAX.id {
            return true;
        }
        let named = |names: &[String]| names.iter().any(|name| name == rule || buildkit_name(rule) == Some(name));
        let asked_for = !EXPERIMENTAL.contains(&rule) || self.experimental_all || named(&self.experimental);
        asked_for && !self.skip_all && !named(&self.skip)
    }
}

/// Returns what BuildKit calls a rule of plim's, if it has it.
pub fn buildkit_name(rule: &str) -> Option<&'static str> {
    NAMES.iter().find(|(_, known)| *known == rule).map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_skipped_by_either_name() {
        let checks = Checks::parse("skip=FromAsCasing, cache-order;error=true");
        assert!(checks.error);
        assert!(!checks.wants("from-as-casing") && !checks.wants("cache-order"));
        assert!(checks.wants("exec-form") && checks.wants("stage-name-casing"));
        let all = Checks::parse("skip=all");
        assert!(!all.wants("exec-form") && all.wants("syntax") && !all.error);
        assert_eq!(Checks::parse(""), Checks::default());
        assert_eq!(all.unknown, None);
        for (text, word) in [("skip=A;eror=true", "eror"), ("error", "error"), ("skip=NoSuchRule; ;x = y;z=1", "x")] {
            assert_eq!(Checks::parse(text).unknown.as_deref(), Some(word), "{text}");
        }
        assert!(!Checks::default().wants("definition-description"));
        assert!(Checks::parse("experimental=InvalidDefinitionDescription").wants("definition-description"));
        assert!(!Checks::parse("experimental=all;skip=definition-description").wants("definition-description"));
    }

    #[test]
    fn an_unknown_option_is_found() {
        let found = |text: &str| {
            let file = plim_dockerfile::parse(text);
            super::super::dockerfile(&file, &plim_diag::Subject::file("Dockerfile"), None)
        };
        let findings = found("# check=skip=all;eror=true\nFROM scratch AS x\n");
        assert_eq!((findings.len(), findings[0].rule), (1, super::super::SYNTAX.id));
        assert!(findings[0].message.contains("`eror`"), "{}", findings[0].message);
        assert!(found("# check=skip=all;error=true\nFROM scratch AS x\n").is_empty());
    }

    #[test]
    fn every_name_is_that_of_a_rule() {
        for (name, rule) in NAMES {
            assert!(super::super::RULES.iter().any(|known| known.id == *rule), "{name}");
        }
    }
}
