//! What became of the steps of a build, and why.

use plim_engine::build::StepReport;

/// Says of each step whether a cache answered for it, and which, or what made it necessary.
pub(crate) fn explain(steps: &[StepReport]) -> String {
    let stages = steps.iter().any(|step| step.stage != steps[0].stage);
    let mut text = String::new();
    for step in steps {
        let word = if step.cached { "hit " } else { "miss" };
        let stage = if stages { format!("[{}] ", step.stage) } else { String::new() };
        let place = if step.line == 0 { "trigger of the base".to_owned() } else { format!("line {}", step.line) };
        text.push_str(&format!("  {word}  {stage}{place}: {}\n", step.instruction));
        let why = match (&step.miss, &step.imported) {
            (Some(miss), _) => Some(miss.to_string()),
            (None, Some(cache)) => Some(format!("from the cache {cache}")),
            (None, None) => None,
        };
        if let Some(why) = why {
            text.push_str(&format!("        {why}\n"));
        }
    }
    text
}
