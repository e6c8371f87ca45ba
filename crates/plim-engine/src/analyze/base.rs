//! Which of an image's layers are its base's.
//!
//! What tells, the surest first: plim's own record of the build, annotations that name an image of the local store, an
//! image of the store whose layers these begin with, the history.

use jiff::Timestamp;
use plim_oci::{History, Image, Layout, Platform, Reference, read};

use super::{Base, BaseEvidence, LayerRow};
use crate::Workspace;
use crate::why::Lines;

const NAME: &str = "org.opencontainers.image.base.name";
const DIGEST: &str = "org.opencontainers.image.base.digest";

/// Two rows of a history that are so far apart were not made by one build, in seconds.
const GAP: i64 = 3600;

/// What an image says of its base.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    name: Option<String>,
    digest: Option<String>,
}

/// Tells the base of an image; nothing when it stands on nothing, or when nothing tells.
pub(super) fn base(workspace: &Workspace, image: &Image, rows: &[LayerRow], lines: &Lines) -> Option<Base> {
    let said = Said::by(image);
    let make = |layers: usize, said: Said, evidence: BaseEvidence| Base {
        name: said.name,
        digest: said.digest,
        layers,
        size_bytes: rows.iter().take(layers).map(|layer| layer.size_bytes).sum(),
        compressed_bytes: rows.iter().take(layers).map(|layer| layer.compressed_bytes).sum(),
        evidence,
    };
    if let Some(layers) = lines.base_layers(image) {
        return (layers > 0).then(|| make(layers, said, BaseEvidence::Build));
    }
    if let Some((layers, found)) = annotated(&workspace.store, image, &said) {
        return Some(make(layers, found, BaseEvidence::Annotation));
    }
    if let Some((layers, found)) = known(&workspace.store, image) {
        return Some(make(layers, found, BaseEvidence::KnownImage));
    }
    let layers = by_history(&image.config.history, image.layers.len())?;
    Some(make(layers, said, BaseEvidence::History))
}

impl Said {
    /// Reads the annotations, or the labels of the same names that some builders write.
    fn by(image: &Image) -> Self {
        let get = |key: &str| {
            let annotation = image.manifest.annotations.get(key);
            annotation.or_else(|| image.config.config.labels.get(key)).filter(|text| !text.is_empty()).cloned()
        };
        Self { name: get(NAME), digest: get(DIGEST) }
    }
}

/// How many layers of an image are those of another one; nothing unless it begins with all of them.
fn prefix(image: &Image, base: &Image) -> Option<usize> {
    let ours = image.layers.iter().map(|layer| &layer.diff_id);
    let theirs = base.layers.iter().map(|layer| &layer.diff_id);
    let length = base.layers.len();
    (length > 0 && length <= image.layers.len() && ours.zip(theirs).all(|(one, other)| one == other)).then_some(length)
}

/// The platform of an image.
fn platform(image: &Image) -> Platform {
    Platform { variant: image.config.variant.clone(), ..Platform::new(&image.config.os, &image.config.architecture) }
}

/// Finds the image that the annotations name in the store. The digest says more than the name, which may be newer by now.
fn annotated(store: &Layout, image: &Image, said: &Said) -> Option<(usize, Said)> {
    let names = store.names().ok()?;
    let by_digest = said.digest.as_ref().and_then(|digest| {
        names.iter().find(|(_, descriptor)| {
            let selected = || read::select(store, descriptor, &platform(image));
            descriptor.digest.as_str() == digest || selected().is_ok_and(|manifest| manifest.digest.as_str() == digest)
        })
    });
    let by_name = || {
        let name = said.name.as_ref()?.parse::<Reference>().ok()?.to_string();
        names.iter().find(|(known, _)| *known == name)
    };
    let (name, descriptor) = by_digest.or_else(by_name)?;
    let base = read::image(store, descriptor, &platform(image)).ok()?;
    let layers = prefix(image, &base)?;
    let said = Said {
        name: said.name.clone().or_else(|| Some(name.clone())),
        digest: Some(said.digest.clone().unwrap_or_else(|| base.descriptor.digest.to_string())),
    };
    Some((layers, said))
}

/// Finds the image of the store with most layers that this one begins with, and has more than.
fn known(store: &Layout, image: &Image) -> Option<(usize, Said)> {
    let platform = platform(image);
    let mut best: Option<(usize, String, Image)> = None;
    for (name, descriptor) in store.names().ok()? {
        // what is damaged, or of another platform, is no base
        let Ok(other) = read::image(store, &descriptor, &platform) else { continue };
        let Some(layers) = prefix(image, &other).filter(|layers| *layers < image.layers.len()) else { continue };
        // of several names the first, which is a version rather than `latest`
        let better = best.as_ref().is_none_or(|(most, known, _)| layers > *most || (layers == *most && name < *known));
        if other.descriptor.digest != image.descriptor.digest && better {
            best = Some((layers, name, other));
        }
    }
    let (layers, name, base) = best?;
    Some((layers, Said { name: Some(name), digest: Some(base.descriptor.digest.to_string()) }))
}

/// Guesses by the history: where an image had its start command and then went on, another one begins; else where the
/// rows are furthest apart in time.
fn by_history(history: &[History], layers: usize) -> Option<usize> {
    if history.iter().filter(|row| !row.empty_layer).count() != layers {
        return None;
    }
    let below = |row: usize| history[..row].iter().filter(|row| !row.empty_layer).count();
    let command = |row: &History| {
        let text = row.created_by.as_deref().unwrap_or_default().trim_start();
        let text = text.strip_prefix("/bin/sh -c #(nop)").unwrap_or(text).trim_start();
        row.empty_layer && ["CMD ", "ENTRYPOINT ", "CMD[", "ENTRYPOINT["].iter().any(|word| text.starts_with(word))
    };
    // the last one that any layer follows
    let by_command = (0..history.len()).rev().filter(|row| command(&history[*row])).map(|row| below(row + 1));
    if let Some(found) = by_command.into_iter().find(|found| *found < layers).filter(|found| *found > 0) {
        return Some(found);
    }
    let time = |row: &History| row.created.as_deref()?.parse::<Timestamp>().ok().map(Timestamp::as_second);
    let mut widest: Option<(i64, usize)> = None;
    for (row, pair) in history.windows(2).enumerate() {
        let (Some(one), Some(other)) = (time(&pair[0]), time(&pair[1])) else { continue };
        let (gap, found) = (one.abs_diff(other).try_into().unwrap_or(i64::MAX), below(row + 1));
        if gap >= GAP && found > 0 && found < layers && widest.is_none_or(|(most, _)| gap > most) {
            widest = Some((gap, found));
        }
    }
    widest.map(|(_, found)| found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str, created: &str) -> History {
        let empty_layer = ["CMD", "ENTRYPOINT", "ENV", "WORKDIR", "EXPOSE"].iter().any(|word| text.contains(word));
        History {
            created: (!created.is_empty()).then(|| created.to_owned()),
            created_by: Some(text.to_owned()),
            empty_layer,
            ..History::default()
        }
    }

    fn guess(rows: &[(&str, &str)]) -> Option<usize> {
        let rows: Vec<History> = rows.iter().map(|(text, created)| row(text, created)).collect();
        by_history(&rows, rows.iter().filter(|row| !row.empty_layer).count())
    }

    #[test]
    fn the_last_start_command_that_layers_follow_ends_the_base() {
        let rows = [
            ("/bin/sh -c #(nop) ADD file:1 in / ", ""),
            ("/bin/sh -c #(nop)  CMD [\"bash\"]", ""),
            ("RUN install python", ""),
            ("ENTRYPOINT [\"python3\"]", ""),
            ("CMD [\"python3\"]", ""),
            ("WORKDIR /app", ""),
            ("COPY . /app # buildkit", ""),
            ("CMD [\"python3\" \"app.py\"]", ""),
        ];
        assert_eq!(guess(&rows), Some(2));
        // a base alone has no layers after its command
        assert_eq!(guess(&rows[..2]), None);
    }

    #[test]
    fn without_a_start_command_the_widest_gap_in_time_counts() {
        let rows = [
            ("ADD rootfs.tar / # buildkit", "2025-01-01T00:00:00Z"),
            ("RUN a", "2025-01-01T00:05:00Z"),
            ("COPY x /x", "2025-06-01T00:00:00Z"),
            ("COPY y /y", "2025-06-02T00:00:00Z"),
        ];
        assert_eq!(guess(&rows), Some(2));
        // layers that are reproducible have the time of 1970
        let rows = [("layer", "2025-01-01T00:00:00Z"), ("COPY x /x", "1970-01-01T00:00:00Z")];
        assert_eq!(guess(&rows), Some(1));
        assert_eq!(guess(&[("RUN a", "2025-01-01T00:00:00Z"), ("RUN b", "2025-01-01T00:30:00Z")]), None);
        assert_eq!(guess(&[("RUN a", "yesterday"), ("RUN b", "")]), None);
    }

    #[test]
    fn a_history_that_does_not_fit_the_layers_tells_nothing() {
        assert_eq!(by_history(&[row("RUN a", ""), row("CMD [\"a\"]", ""), row("RUN b", "")], 3), None);
    }
}
