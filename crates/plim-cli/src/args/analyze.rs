//! `plim analyze`.

use clap::Args;

use super::Output;
use plim_engine::analyze::AssumptionsGiven;

const EXAMPLES: &str = "\x1b[1mExamples:\x1b[0m
  plim analyze shop:1                                  size, waste, layers, packages
  plim analyze --depth 3 --rows 0 shop:1               also the directories, and every row
  plim analyze -o text -o html=report.html shop:1      a page with a map of the image
  plim analyze --ci -o markdown=summary.md oci:out     for the summary of a CI run";

/// Show what is in an image: size, waste, layers, packages, the largest owners and paths.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Analyze {
    /// The image: a name in the local store or a registry, oci:DIR, oci-archive:FILE, docker-archive:FILE,
    /// docker-daemon:NAME, podman:NAME, rootfs:DIR.
    #[arg(value_name = "IMAGE")]
    pub(crate) image: String,
    /// A second image: what is different is shown, as by `plim diff`.
    #[arg(value_name = "IMAGE2", conflicts_with_all = ["ci", "depth", "pull_rate", "unpack_rate", "builds_per_day", "pods", "reused_layers"])]
    pub(crate) second: Option<String>,
    /// Judge dive's figures by the rules of .dive-ci, if it is there; exit code 1 when one is broken.
    #[arg(long)]
    pub(crate) ci: bool,
    /// The file with those rules [default: .dive-ci].
    #[arg(long, value_name = "FILE", requires = "ci")]
    pub(crate) ci_config: Option<camino::Utf8PathBuf>,
    /// Rows of each table; 0 shows all.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) rows: usize,
    /// Levels of the tree of directories; 0 leaves it out.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) depth: usize,
    #[command(flatten)]
    pub(crate) cost: CostFlags,
    /// Report format, optionally into a file; may be repeated: text, json, markdown, html, html=FILE.
    #[arg(short, long, value_name = "FORMAT[=FILE]", default_value = "text")]
    pub(crate) output: Vec<Output>,
}

/// What the cost model assumes.
#[derive(Debug, Args)]
pub(crate) struct CostFlags {
    /// Speed of downloads [default: 100MB/s].
    #[arg(long, value_name = "RATE", value_parser = rate, help_heading = "Cost")]
    pub(crate) pull_rate: Option<u64>,
    /// Speed of unpacking, in uncompressed bytes [default: 200MB/s].
    #[arg(long, value_name = "RATE", value_parser = rate, help_heading = "Cost")]
    pub(crate) unpack_rate: Option<u64>,
    /// Builds a day that push [default: 50].
    #[arg(long, value_name = "N", help_heading = "Cost")]
    pub(crate) builds_per_day: Option<u64>,
    /// Nodes that pull the image when it is scaled out [default: 10].
    #[arg(long, value_name = "N", help_heading = "Cost")]
    pub(crate) pods: Option<u64>,
    /// Layers, from the lowest, that a build of a change to the source uses again [default: those of the base].
    #[arg(long, value_name = "N", help_heading = "Cost")]
    pub(crate) reused_layers: Option<usize>,
}

impl CostFlags {
    /// Returns what was typed.
    pub(crate) fn given(&self) -> AssumptionsGiven {
        AssumptionsGiven {
            pull_bytes_per_second: self.pull_rate,
            unpack_bytes_per_second: self.unpack_rate,
            builds_per_day: self.builds_per_day,
            pods: self.pods,
            reused_layers: self.reused_layers,
        }
    }
}

/// Bytes a second: `100MB/s`, `1.5 GB`, `800Mbit/s`, `50000000`.
fn rate(text: &str) -> Result<u64, String> {
    let wrong = || "a rate is written as a number and a unit: 100MB/s, 800Mbit/s, 12.5MiB/s".to_owned();
    let lower = text.trim().to_ascii_lowercase();
    let lower = lower.strip_suffix("/s").unwrap_or(&lower);
    let digits = lower.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(lower.len());
    let number: f64 = lower[..digits].parse().map_err(|_| wrong())?;
    let unit = match lower[digits..].trim() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        "kbit" => 1e3 / 8.0,
        "mbit" => 1e6 / 8.0,
        "gbit" => 1e9 / 8.0,
        _ => return Err(wrong()),
    };
    let rate = number * unit;
    // the model divides by it; and no network is faster than the upper bound for long years to come
    if rate.is_finite() && (1.0..=1e15).contains(&rate) { Ok(rate as u64) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_units() {
        for (text, bytes) in [
            ("100MB/s", 100_000_000),
            ("1.5 GB", 1_500_000_000),
            ("800Mbit/s", 100_000_000),
            ("1MiB/s", 1_048_576),
            ("5", 5),
        ] {
            assert_eq!(rate(text), Ok(bytes), "{text}");
        }
        for text in ["", "fast", "0", "0MB/s", "-1MB/s", "1e9", "1XB", "1..2MB", "9999999999999999GB"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }
}
