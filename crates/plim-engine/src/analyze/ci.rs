//! `.dive-ci`: thresholds on dive's figures, with its rules, defaults and verdict.

use plim_project::yaml::{self, Node};
use schemars::JsonSchema;
use serde::Serialize;

use super::Dive;
use crate::Failure;

/// The name of the file.
pub const FILE: &str = ".dive-ci";

/// Thresholds; none is a rule that is switched off.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// The least efficiency, 0 to 1.
    pub lowest_efficiency: Option<f64>,
    /// The most wasted bytes.
    pub highest_wasted_bytes: Option<u64>,
    /// The largest part of the layers above the lowest that may be waste, 0 to 1.
    pub highest_user_wasted: Option<f64>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { lowest_efficiency: Some(0.9), highest_wasted_bytes: None, highest_user_wasted: Some(0.1) }
    }
}

/// What a rule says of an image.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Verdict {
    /// The rule, as the file names it.
    pub rule: String,
    /// Whether the image keeps it; nothing for a rule that is switched off.
    pub passed: Option<bool>,
    /// What was found, and the threshold.
    pub message: String,
}

impl Rules {
    /// Reads the text of a `.dive-ci`; what it does not say is as in dive.
    pub fn parse(text: &str, file: &str) -> Result<Self, Failure> {
        let wrong = |line: usize, message: &str| {
            Failure::tool(format!("failed to read {file}: line {line}: {message}")).hint(
                "rules: lowestEfficiency and highestUserWastedPercent are numbers from 0 to 1, highestWastedBytes is a size \
                 such as 20MB; each may be `disabled`",
            )
        };
        let root = yaml::read(text).map_err(|mistake| wrong(mistake.line, &mistake.message))?;
        let mut rules = Self::default();
        let Some(given) = root.get("rules") else { return Ok(rules) };
        for (name, node) in given.pairs() {
            let value = value(node);
            let fault = || wrong(node.line, &format!("`{}` is no value for {name}", value.unwrap_or_default()));
            // dive takes the names in any case
            match name.to_ascii_lowercase().as_str() {
                "lowestefficiency" => rules.lowest_efficiency = part(value).map_err(|()| fault())?,
                "highestuserwastedpercent" => rules.highest_user_wasted = part(value).map_err(|()| fault())?,
                "highestwastedbytes" => {
                    rules.highest_wasted_bytes = match value {
                        Some("disabled") => None,
                        Some(text) => Some(size(text).ok_or_else(fault)?),
                        None => return Err(fault()),
                    };
                }
                _ => return Err(wrong(node.line, &format!("`{name}` is no rule"))),
            }
        }
        Ok(rules)
    }

    /// Applies the rules.
    pub fn judge(&self, figures: &Dive) -> Vec<Verdict> {
        let percent = |part: f64| format!("{:.4} %", part * 100.0);
        let row = |rule: &str, value: String, threshold: Option<String>, passed: bool| Verdict {
            rule: rule.to_owned(),
            message: match &threshold {
                Some(threshold) => format!("{value}, threshold {threshold}"),
                None => format!("{value}, disabled"),
            },
            passed: threshold.map(|_| passed),
        };
        let user = figures.user_wasted;
        vec![
            row(
                "lowestEfficiency",
                percent(figures.efficiency),
                self.lowest_efficiency.map(percent),
                self.lowest_efficiency.is_none_or(|least| figures.efficiency >= least),
            ),
            row(
                "highestWastedBytes",
                format!("{} bytes", figures.wasted_bytes),
                self.highest_wasted_bytes.map(|most| format!("{most} bytes")),
                self.highest_wasted_bytes.is_none_or(|most| figures.wasted_bytes <= most),
            ),
            row(
                "highestUserWastedPercent",
                user.map_or_else(|| "no layer above the lowest".to_owned(), percent),
                self.highest_user_wasted.map(percent),
                // with one layer there is nothing to judge, and dive's comparison with no number holds
                self.highest_user_wasted.zip(user).is_none_or(|(most, part)| part <= most),
            ),
        ]
    }
}

fn value(node: &Node) -> Option<&str> {
    node.text().map(str::trim)
}

/// A number from 0 to 1, or nothing for a rule that is switched off; the error is a value that is neither.
fn part(text: Option<&str>) -> Result<Option<f64>, ()> {
    match text.ok_or(())? {
        "disabled" => Ok(None),
        text => text.parse().ok().filter(|part| (0.0..=1.0).contains(part)).map(Some).ok_or(()),
    }
}

/// A size such as `20MB`, `1.5 GiB` or `1000`; `k` and `kB` are thousands, `KiB` is 1024.
fn size(text: &str) -> Option<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',').unwrap_or(text.len());
    let number: f64 = text[..split].replace(',', "").parse().ok()?;
    let factor = match text[split..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "t" | "tb" => 1e12,
        "ki" | "kib" => 1024.0,
        "mi" | "mib" => 1024.0_f64.powi(2),
        "gi" | "gib" => 1024.0_f64.powi(3),
        "ti" | "tib" => 1024.0_f64.powi(4),
        _ => return None,
    };
    let bytes = number * factor;
    (bytes.is_finite() && bytes < u64::MAX as f64).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(efficiency: f64, wasted_bytes: u64, user_wasted: Option<f64>) -> Dive {
        Dive { efficiency, wasted_bytes, user_wasted, wasted: Vec::new() }
    }

    fn passed(rules: &Rules, figures: &Dive) -> Vec<Option<bool>> {
        rules.judge(figures).into_iter().map(|verdict| verdict.passed).collect()
    }

    #[test]
    fn what_a_file_does_not_say_is_as_in_dive() {
        let text = "rules:\n  lowestEfficiency: 0.95\n  # highestWastedBytes: 1\n";
        let rules = Rules::parse(text, FILE).unwrap();
        assert_eq!(rules, Rules { lowest_efficiency: Some(0.95), ..Rules::default() });
        assert_eq!(Rules::parse("", FILE).unwrap(), Rules::default());
    }

    #[test]
    fn rules_can_be_switched_off_and_quoted() {
        let text = "rules:\n  lowestEfficiency: 'disabled'\n  highestWastedBytes: \"20 MiB\"\n  highestUserWastedPercent: disabled\n";
        let rules = Rules::parse(text, FILE).unwrap();
        let expected =
            Rules { lowest_efficiency: None, highest_wasted_bytes: Some(20 << 20), highest_user_wasted: None };
        assert_eq!(rules, expected);
        assert_eq!(passed(&rules, &figures(0.0, 1, Some(9.0))), [None, Some(true), None]);
    }

    #[test]
    fn a_threshold_that_is_met_exactly_is_kept() {
        let rules = Rules { highest_wasted_bytes: Some(100), ..Rules::default() };
        assert_eq!(passed(&rules, &figures(0.9, 100, Some(0.1))), [Some(true); 3]);
        assert_eq!(passed(&rules, &figures(0.89, 101, Some(0.11))), [Some(false); 3]);
        assert_eq!(passed(&rules, &figures(1.0, 0, None)), [Some(true); 3]);
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, part) in [
            ("rules:\n  lowestEfficency: 1\n", "no rule"),
            ("rules:\n  lowestEfficiency: 95\n", "line 2: `95` is no value"),
            ("rules:\n  highestWastedBytes: much\n", "`much`"),
            ("rules: [\n", "line"),
        ] {
            let failure = Rules::parse(text, FILE).unwrap_err();
            assert!(failure.message.contains(part), "{}", failure.message);
        }
    }

    #[test]
    fn sizes_have_units() {
        let sizes = ["20MB", "1.5 kB", "2KiB", "7", "1,000 b"].map(|text| size(text).unwrap());
        assert_eq!(sizes, [20_000_000, 1500, 2048, 7, 1000]);
        assert_eq!(size("MB"), None);
    }
}
