//! The part of a Dockerfile that makes one stage.

use camino::Utf8Path;
use plim_dockerfile::stages::StageGraph;

use crate::error::DetectError;

/// Returns a Dockerfile up to the end of a stage, so that this stage is its last: the lines keep their numbers.
pub(super) fn until_stage(text: &str, target: &str, path: &Utf8Path) -> Result<String, DetectError> {
    let file = plim_dockerfile::parse(text);
    let graph = StageGraph::new(&file, &[], &[]);
    let number = graph.target(Some(target)).map_err(|error| DetectError::NoStage {
        path: path.to_owned(),
        target: target.to_owned(),
        stages: graph.stages.iter().filter_map(|stage| stage.name.clone()).collect(),
        similar: error.similar,
    })?;
    let end = graph
        .stages
        .get(number + 1)
        .and_then(|next| file.instructions.get(next.from))
        .map_or(text.len(), |from| from.span.start);
    Ok(text.get(..end).unwrap_or(text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "FROM a AS build\nRUN x\n# the image\nFROM build AS Run\nCMD y\n\nFROM run AS dev-envs\nCMD z\n";

    #[test]
    fn what_follows_a_stage_is_cut_off() {
        let until = |target: &str| until_stage(TEXT, target, "Dockerfile".into()).unwrap();
        assert!(until("run").ends_with("CMD y\n\n"));
        assert_eq!(until("0"), "FROM a AS build\nRUN x\n# the image\n");
        assert_eq!(until("dev-envs"), TEXT);
    }

    #[test]
    fn a_stage_that_is_not_there_is_named() {
        let error = until_stage(TEXT, "rum", "Dockerfile".into()).unwrap_err();
        assert_eq!(error.to_string(), "Dockerfile has no stage `rum`");
        assert_eq!(error.hint().unwrap(), "did you mean `run`? the stages are build, run, dev-envs");
    }
}
