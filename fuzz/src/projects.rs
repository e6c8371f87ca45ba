//! What projects bring along.

use plim_project::{Evidence, Kept};

/// Reads a Dockerfile as evidence, with the same text as its entry script. Every command has a purpose and outputs, every fact
/// of a command names one.
pub fn evidence(data: &[u8]) {
    crate::text(data, |text| {
        let evidence = Evidence::read_with(text, &|_| Some(text.to_owned()));
        for command in &evidence.declared.commands {
            let _ = (command.purpose(), command.program(), command.outputs());
            assert!(!command.words.is_empty());
            assert!(evidence.declared.runs.get(command.run).is_some());
        }
        if let Some(script) = &evidence.declared.entry_script {
            let _ = (script.packages(), script.needs_root(), script.only_changes_user());
        }
        assert!(
            evidence
                .facts
                .iter()
                .all(|fact| fact.line > 0 && !matches!(&fact.kept, Kept::Dropped(why) if why.is_empty()))
        );
    });
}
