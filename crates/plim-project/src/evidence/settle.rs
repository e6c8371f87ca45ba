//! What becomes of each instruction and command.

use super::{About, Declared, Ecosystem, Fact, Kept, Purpose, RunCommand};

/// Returns what becomes of the facts when nothing is known of the project: commands that every new image does without are
/// dropped, all others are unknown.
pub(super) fn first_opinion(facts: &mut [Fact], declared: &Declared) {
    for fact in facts {
        fact.kept = match fact.about {
            About::Instruction => continue,
            About::Command(index) => declared.commands.get(index).map_or(Kept::Unknown, |command| {
                match (command.purpose(), needless(command)) {
                    (Purpose::Build(Ecosystem::Python), _) => Kept::Kept,
                    (_, Some(reason)) => Kept::Dropped(reason.to_owned()),
                    (_, None) => Kept::Unknown,
                }
            }),
            About::CopyFrom(index) => match declared.copies_from.get(index).and_then(|told| told.value.stage) {
                Some(stage) if installs(declared, stage, Ecosystem::Python) => {
                    Kept::Dropped("the new build stage makes the same".to_owned())
                }
                _ => Kept::Unknown,
            },
            About::Placed(_) => Kept::Dropped("replaced by the copies of the new stages".to_owned()),
        };
    }
}

/// Whether a stage installs packages of a language.
fn installs(declared: &Declared, stage: usize, ecosystem: Ecosystem) -> bool {
    let mut commands = declared.commands.iter().filter(|command| command.stage == stage);
    commands.any(|command| command.purpose() == Purpose::LanguagePackages(ecosystem))
}

/// Returns why a new image does without a command, whatever the project is.
fn needless(command: &RunCommand) -> Option<&'static str> {
    Some(match command.purpose() {
        Purpose::SystemPackages => "system packages are kept as far as the program needs them",
        Purpose::PackageIndex => "the base image is current",
        Purpose::Cleanup => "nothing is left to clean up",
        Purpose::Users => "the image names its user by number",
        Purpose::Permissions => "files belong to root and are read-only",
        Purpose::Harmless => "it leaves nothing",
        Purpose::Check => "it only checks, and leaves nothing",
        Purpose::LanguagePackages(Ecosystem::Python) => "dependencies are installed from the manifests",
        _ => return None,
    })
}
