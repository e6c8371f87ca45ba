//! Which manifest of an index is for a platform.

use crate::{BlobError, Blobs, Descriptor, Index, Platform};

/// Chooses the manifest of an index that fits a platform best; the first of equals.
pub(crate) fn choose<'a>(blobs: &dyn Blobs, index: &'a Index, wanted: &Platform) -> Result<&'a Descriptor, BlobError> {
    let images = || index.manifests.iter().filter(|manifest| !is_attestation(manifest));
    let mut best: Option<(u32, &Descriptor)> = None;
    for manifest in images() {
        let Some(fit) = manifest.platform.as_ref().and_then(|platform| fit(platform, wanted)) else { continue };
        if best.is_none_or(|(other, _)| fit > other) {
            best = Some((fit, manifest));
        }
    }
    if let Some((_, manifest)) = best {
        return Ok(manifest);
    }
    // layouts of single images often say nothing about the platform
    let mut unnamed = images().filter(|manifest| manifest.platform.is_none());
    if let (Some(only), None) = (unnamed.next(), unnamed.next()) {
        return Ok(only);
    }
    let mut available: Vec<String> =
        images().filter_map(|manifest| manifest.platform.as_ref()).map(Platform::to_string).collect();
    available.dedup();
    Err(BlobError::NoPlatform {
        wanted: wanted.to_string(),
        available: if available.is_empty() { "none".to_owned() } else { available.join(", ") },
        place: blobs.place(),
    })
}

/// BuildKit keeps provenance and SBOMs beside the images, under the platform `unknown/unknown`.
fn is_attestation(manifest: &Descriptor) -> bool {
    manifest.platform.as_ref().is_some_and(|platform| platform.os == "unknown")
        || manifest.annotations.contains_key("vnd.docker.reference.type")
}

/// Says how well a platform serves another: `None` not at all, more is better.
fn fit(has: &Platform, wanted: &Platform) -> Option<u32> {
    if has.os != wanted.os || has.architecture != wanted.architecture || !same_version(has, wanted) {
        return None;
    }
    let (has, wanted) = (variant(has), variant(wanted));
    match (has, wanted) {
        (has, wanted) if has == wanted => Some(100),
        // later CPUs run what was made for earlier ones; a variant that was not asked for may need too much,
        // but is all that some indexes have (arm without a variant)
        (Some(has), Some(wanted)) => (has < wanted).then(|| 50 + has),
        (None, Some(_)) => Some(40),
        (Some(has), None) => Some(30_u32.saturating_sub(has)),
        (None, None) => Some(100),
    }
}

/// Windows runs images of its own version only; where no version is asked for, any will do.
fn same_version(has: &Platform, wanted: &Platform) -> bool {
    match (&has.os_version, &wanted.os_version) {
        (Some(has), Some(wanted)) => has == wanted,
        _ => true,
    }
}

/// Returns the number of a variant; those that are an architecture's baseline count as none.
fn variant(platform: &Platform) -> Option<u32> {
    let number: u32 = platform.variant.as_deref()?.strip_prefix('v')?.parse().ok()?;
    let baseline = matches!((platform.architecture.as_str(), number), ("amd64", 1) | ("arm64", 8));
    (!baseline).then_some(number.min(49))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(has: &str, wanted: &str) -> Option<u32> {
        // the parser folds arm64/v8, which producers do write
        let mut platform = Platform::new("linux", has.split('/').next().unwrap());
        platform.variant = has.split_once('/').map(|(_, variant)| variant.to_owned());
        fit(&platform, &wanted.parse().unwrap())
    }

    #[test]
    fn a_version_of_the_system_must_be_met_where_one_is_asked_for() {
        let fits = |has: &str, wanted: &str| fit(&has.parse().unwrap(), &wanted.parse().unwrap()).is_some();
        assert!(fits("windows(1.2.3)/amd64", "windows(1.2.3)/amd64"));
        assert!(!fits("windows(1.2.3)/amd64", "windows(1.1.0)/amd64"));
        assert!(fits("windows(1.2.3)/amd64", "windows/amd64"));
        assert!(fits("windows/amd64", "windows(1.2.3)/amd64"));
    }

    #[test]
    fn the_nearest_earlier_variant_serves_best() {
        assert_eq!(fits("arm64/v8", "linux/arm64"), Some(100));
        assert!(fits("arm/v7", "linux/arm/v7") > fits("arm/v6", "linux/arm/v7"));
        assert!(fits("arm/v6", "linux/arm/v7") > fits("arm/v5", "linux/arm/v7"));
        assert_eq!(fits("arm/v7", "linux/arm/v6"), None);
        assert!(fits("amd64", "linux/amd64") > fits("amd64/v3", "linux/amd64"));
        assert_eq!(fits("arm64", "linux/amd64"), None);
    }
}
