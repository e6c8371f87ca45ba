//! The global scope: predefined arguments, ARG before the first FROM, and `--build-arg`.

use std::collections::{BTreeMap, BTreeSet};

use plim_dockerfile::words::Lexer;
use plim_dockerfile::{Dockerfile, Instruction, Kind};
use plim_oci::Platform;

use super::Vars;
use crate::error::BuildError;
use crate::report::Warning;
use crate::request::Request;

/// The name that asks for reproducible times, see <https://reproducible-builds.org/specs/source-date-epoch/>.
pub(crate) const EPOCH: &str = "SOURCE_DATE_EPOCH";

const PROXIES: [&str; 5] = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"];

/// Says whether an argument is one of the proxy variables, in any case.
pub(crate) fn is_proxy(name: &str) -> bool {
    PROXIES.iter().any(|proxy| proxy.eq_ignore_ascii_case(name))
}

/// What holds for all stages.
#[derive(Debug)]
pub(crate) struct Globals {
    build_args: BTreeMap<String, String>,
    vars: Vars,
    /// The time that was asked for, in seconds since 1970.
    pub(crate) epoch: Option<i64>,
}

impl Globals {
    /// Evaluates the global ARG instructions of a Dockerfile under a request.
    pub(crate) fn new(
        request: &Request,
        dockerfile: &Dockerfile,
        target: &str,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, BuildError> {
        let mut build_args: BTreeMap<String, String> = request.build_args.iter().cloned().collect();
        if let Some(epoch) = request.epoch {
            build_args.insert(EPOCH.to_owned(), epoch.to_string());
        }
        let mut vars = predefined(&request.platform, target);
        for (name, value) in &build_args {
            if vars.get(name).is_some() {
                vars.set(name, value);
            }
        }
        let lexer = Lexer::new(dockerfile.escape);
        for instruction in before_first_stage(dockerfile) {
            evaluate(instruction, lexer, &build_args, &mut vars)?;
        }
        warn_unused(dockerfile, &build_args, &vars, warnings);
        let epoch = take_epoch(request, &mut build_args, &mut vars)?;
        Ok(Self { build_args, vars, epoch })
    }

    /// Returns the variables that FROM lines see.
    pub(crate) fn vars(&self) -> &Vars {
        &self.vars
    }

    /// Returns the value that `--build-arg` gives an argument.
    pub(crate) fn build_arg(&self, name: &str) -> Option<&str> {
        self.build_args.get(name).map(String::as_str)
    }

    /// Returns the proxy variables given as build arguments, in the order of their names.
    pub(crate) fn proxies(&self) -> impl Iterator<Item = (&str, &str)> {
        self.build_args.iter().filter(|(name, _)| is_proxy(name)).map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn predefined(platform: &Platform, target: &str) -> Vars {
    let mut vars = Vars::default();
    let build = Platform::host();
    for (prefix, platform) in [("BUILD", &build), ("TARGET", platform)] {
        vars.set(&format!("{prefix}PLATFORM"), &platform.to_string());
        vars.set(&format!("{prefix}OS"), &platform.os);
        vars.set(&format!("{prefix}OSVERSION"), platform.os_version.as_deref().unwrap_or_default());
        vars.set(&format!("{prefix}ARCH"), &platform.architecture);
        vars.set(&format!("{prefix}VARIANT"), platform.variant.as_deref().unwrap_or_default());
    }
    vars.set("TARGETSTAGE", if target.is_empty() { "default" } else { target });
    vars
}

fn before_first_stage(dockerfile: &Dockerfile) -> impl Iterator<Item = &Instruction> {
    dockerfile.instructions.iter().take_while(|instruction| !matches!(instruction.kind, Kind::From(_)))
}

fn evaluate(
    instruction: &Instruction,
    lexer: Lexer,
    build_args: &BTreeMap<String, String>,
    vars: &mut Vars,
) -> Result<(), BuildError> {
    let Kind::Arg(definitions) = &instruction.kind else { return Ok(()) };
    for definition in definitions {
        let name = definition.name.value.as_str();
        let value = match (build_args.get(name), &definition.default) {
            (Some(given), _) => given.clone(),
            (None, None) => continue,
            (None, Some(default)) => {
                let expanded = lexer.process_word(default, &*vars).map_err(|error| BuildError::Instruction {
                    line: instruction.line,
                    stage: String::new(),
                    instruction: instruction.one_line().to_owned(),
                    hint: error.hint(),
                    message: error.to_string(),
                })?;
                expanded.text
            }
        };
        vars.set(name, &value);
    }
    Ok(())
}

/// Warns of build arguments that no ARG asks for: usually a misspelt name.
fn warn_unused(
    dockerfile: &Dockerfile,
    build_args: &BTreeMap<String, String>,
    vars: &Vars,
    warnings: &mut Vec<Warning>,
) {
    let declared = dockerfile.declared_args();
    let known = |name: &str| {
        declared.contains(name)
            || is_proxy(name)
            || name.starts_with("BUILDKIT_")
            || name == EPOCH
            || vars.get(name).is_some()
    };
    let unused: BTreeSet<&str> = build_args.keys().map(String::as_str).filter(|name| !known(name)).collect();
    for name in unused {
        warnings.push(Warning { line: 0, message: format!("no ARG declares the build argument `{name}`") });
    }
}

/// Reads the time asked for and puts its normal form back; an empty one and `context` (which has a time only
/// when it comes from git) count as not given.
fn take_epoch(
    request: &Request,
    build_args: &mut BTreeMap<String, String>,
    vars: &mut Vars,
) -> Result<Option<i64>, BuildError> {
    let given = build_args.get(EPOCH).map(String::as_str).or_else(|| vars.get(EPOCH)).unwrap_or_default().to_owned();
    let is_local = given == "context" || request.named_contexts.iter().any(|(name, _)| *name == given);
    if given.is_empty() || is_local {
        build_args.remove(EPOCH);
        vars.unset(EPOCH);
        return Ok(None);
    }
    let epoch = given.parse::<i64>().ok().filter(|epoch| *epoch >= 0).ok_or_else(|| BuildError::Request {
        message: format!("`{given}` is not a {EPOCH}"),
        hint: Some(format!("{EPOCH} is a number of seconds since 1970, for example that of the last commit")),
    })?;
    if vars.get(EPOCH).is_some() {
        vars.set(EPOCH, &epoch.to_string());
    }
    Ok(Some(epoch))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn globals(source: &str, build_args: &[(&str, &str)]) -> (Result<Globals, BuildError>, Vec<Warning>) {
        let mut request = Request::new(PathBuf::from("/nowhere"), source.as_bytes().to_vec());
        request.platform = Platform::new("linux", "arm64");
        request.build_args = build_args.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut warnings = Vec::new();
        let globals = Globals::new(&request, &plim_dockerfile::parse(source), "", &mut warnings);
        (globals, warnings)
    }

    #[test]
    fn later_definitions_see_earlier_ones_and_the_predefined() {
        let (globals, _) = globals("ARG A=1 B=${A}x\nARG C=$B-$TARGETARCH\nFROM scratch\n", &[]);
        let globals = globals.unwrap();
        assert_eq!(globals.vars().get("C"), Some("1x-arm64"));
        assert_eq!(globals.vars().get("TARGETSTAGE"), Some("default"));
    }

    #[test]
    fn a_build_argument_replaces_the_default_without_evaluating_it() {
        let source = "ARG A=${A:?must be given}\nFROM scratch\n";
        let (with, _) = globals(source, &[("A", "x")]);
        assert_eq!(with.unwrap().vars().get("A"), Some("x"));
        let (without, _) = globals(source, &[]);
        let message = without.unwrap_err().to_string();
        assert!(message.contains("must be given"), "{message}");
    }

    #[test]
    fn only_unknown_build_arguments_are_warned_of() {
        let args =
            [("A", "1"), ("http_proxy", "p"), ("BUILDKIT_INLINE_CACHE", "1"), ("TARGETARCH", "x"), ("TYPO", "2")];
        let (_, warnings) = globals("FROM scratch\nARG A\n", &args);
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].message.contains("TYPO"));
    }

    #[test]
    fn the_epoch_comes_from_the_argument_or_the_default() {
        let source = "ARG SOURCE_DATE_EPOCH=1445412480\nFROM scratch\n";
        assert_eq!(globals(source, &[]).0.unwrap().epoch, Some(1_445_412_480));
        assert_eq!(globals(source, &[("SOURCE_DATE_EPOCH", "17")]).0.unwrap().epoch, Some(17));
        assert_eq!(globals(source, &[("SOURCE_DATE_EPOCH", "context")]).0.unwrap().epoch, None);
        assert!(globals("ARG SOURCE_DATE_EPOCH=soon\nFROM scratch\n", &[]).0.is_err());
    }
}
