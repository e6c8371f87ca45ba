//! `plim images`, `plim inspect`, `plim tag`, `plim rm` and `plim prune`.

use std::time::Duration;

use clap::Args;

use super::Output;

/// List the images in the local store.
#[derive(Debug, Args)]
pub(crate) struct Images {
    /// Report format, optionally into a file: text, json, json=FILE.
    #[arg(short, long, value_name = "FORMAT[=FILE]", default_value = "text")]
    pub(crate) output: Vec<Output>,
}

/// Show an image's manifest and configuration.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The image, in the store, a registry, a layout or an archive.
    pub(crate) image: String,
    /// The manifest or index, byte for byte.
    #[arg(long, conflicts_with = "image_config")]
    pub(crate) raw: bool,
    /// The configuration, byte for byte.
    #[arg(long)]
    pub(crate) image_config: bool,
    /// Of an image for several platforms the one for this [default: this machine's].
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) platform: Option<String>,
}

/// Give an image in the store another name.
#[derive(Debug, Args)]
pub(crate) struct Tag {
    /// The image.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// The other name.
    #[arg(value_name = "NEW_NAME")]
    pub(crate) new_name: String,
}

/// Take names of images out of the store; what nothing needs then is removed.
#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// The names.
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<String>,
}

/// Remove what no image needs, and what was not used for long.
///
/// Without --older-than all unpacked layers go: they can be unpacked again. What was used within the last hour stays.
#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// Keep unpacked layers up to so many gigabytes [default: 0; with --older-than any number].
    #[arg(long, value_name = "GB")]
    pub(crate) keep_gb: Option<u64>,
    /// Also remove names of images that were not used for so long, such as 12h, 7d or 4w, and what only they need; of
    /// unpacked layers and cached files only those.
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub(crate) older_than: Option<Duration>,
    /// Remove nothing; say what would be.
    #[arg(long, short = 'n')]
    pub(crate) dry_run: bool,
}

/// Parses an age: a number of minutes, hours, days or weeks.
fn age(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds = match &text[digits.len()..] {
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return Err("write a number with m, h, d or w: 90m, 12h, 7d, 4w".to_owned()),
    };
    let number: u64 = digits.parse().map_err(|_| format!("`{digits}` is no whole number"))?;
    let seconds = number.checked_mul(seconds).ok_or_else(|| format!("{text} is longer than time"))?;
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_numbers_with_a_unit() {
        assert_eq!(age("90m"), Ok(Duration::from_mins(90)));
        assert_eq!(age("7d"), age("1w"));
        for text in ["", "7", "d", "-1d", "1.5h", "7days", "7D", "99999999999999999999w", "9999999999999999999w"] {
            assert!(age(text).is_err(), "{text}");
        }
    }
}
