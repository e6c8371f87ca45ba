//! What a suite's `InRelease` file says: its dates and the digests of its indexes.

use jiff::Timestamp;
use plim_oci::Digest;

use crate::DebianError;
use crate::deb822;

/// A release may be dated this far ahead of our clock, in seconds.
const FUTURE_LEEWAY: i64 = 24 * 60 * 60;

/// A release file, after its signature has been checked.
#[derive(Debug, Clone)]
pub(crate) struct Release {
    /// When it was made.
    pub(crate) date: Timestamp,
    /// When it ends to be valid, where it says so.
    pub(crate) valid_until: Option<Timestamp>,
    /// Whether indexes can be had by their digest.
    pub(crate) by_hash: bool,
    /// The names of `Suite` and `Codename`.
    names: Vec<String>,
    architectures: Vec<String>,
    /// Path, digest and size in bytes of each index.
    files: Vec<(String, Digest, u64)>,
}

impl Release {
    /// Parses the signed text. `file` names it in messages.
    pub(crate) fn parse(text: &str, file: &str) -> Result<Self, DebianError> {
        let malformed = |reason: String| DebianError::malformed(file, reason);
        let paragraph = deb822::paragraphs(text).next().ok_or_else(|| malformed("it is empty".to_owned()))?;
        let mut date = None;
        let mut valid_until = None;
        let mut by_hash = false;
        let mut names = Vec::new();
        let mut architectures = Vec::new();
        let mut files = None;
        for (name, value) in paragraph.fields() {
            match name {
                "Date" => date = Some(parse_date(value).map_err(malformed)?),
                "Valid-Until" => valid_until = Some(parse_date(value).map_err(malformed)?),
                "Acquire-By-Hash" => by_hash = value == "yes",
                "Suite" | "Codename" => names.push(value.to_owned()),
                "Architectures" => architectures = value.split_whitespace().map(str::to_owned).collect(),
                "SHA256" => files = Some(parse_files(value).map_err(malformed)?),
                _ => {}
            }
        }
        Ok(Self {
            date: date.ok_or_else(|| malformed("it has no Date".to_owned()))?,
            valid_until,
            by_hash,
            names,
            architectures,
            files: files.ok_or_else(|| malformed("it has no SHA256 section".to_owned()))?,
        })
    }

    /// Checks that this is the suite asked for and that its dates hold now.
    pub(crate) fn check(&self, suite: &str, now: Timestamp, file: &str) -> Result<(), DebianError> {
        if !self.names.iter().any(|name| name == suite) {
            let found = self.names.join(", ");
            return Err(DebianError::verify(
                file,
                "suite",
                format!("it is the release file of {found}, not of {suite}"),
            ));
        }
        if self.date.as_second() > now.as_second() + FUTURE_LEEWAY {
            return Err(DebianError::verify(
                file,
                "date",
                format!("it is dated {}, which is in the future", self.date),
            ));
        }
        if let Some(until) = self.valid_until
            && until < now
        {
            return Err(DebianError::verify(file, "date", format!("it was valid until {until}")));
        }
        Ok(())
    }

    pub(crate) fn has_architecture(&self, arch: &str) -> bool {
        self.architectures.iter().any(|found| found == arch)
    }

    /// Returns the digest and the size in bytes of an index.
    pub(crate) fn file(&self, path: &str) -> Option<(&Digest, u64)> {
        self.files.iter().find(|(name, ..)| name == path).map(|(_, digest, size)| (digest, *size))
    }
}

fn parse_date(text: &str) -> Result<Timestamp, String> {
    let stripped =
        text.strip_suffix(" UTC").or_else(|| text.strip_suffix(" GMT")).or_else(|| text.strip_suffix(" +0000"));
    stripped
        .and_then(|text| jiff::civil::DateTime::strptime("%a, %d %b %Y %H:%M:%S", text).ok())
        .and_then(|civil| civil.to_zoned(jiff::tz::TimeZone::UTC).ok())
        .map(|zoned| zoned.timestamp())
        .ok_or_else(|| format!("`{text}` is no date"))
}

fn parse_files(value: &str) -> Result<Vec<(String, Digest, u64)>, String> {
    let mut files = Vec::new();
    for line in value.lines().filter(|line| !line.trim().is_empty()) {
        let mut words = line.split_whitespace();
        let (Some(hex), Some(size), Some(path), None) = (words.next(), words.next(), words.next(), words.next()) else {
            return Err(format!("`{line}` is no digest, size and path"));
        };
        let digest = format!("sha256:{hex}").parse::<Digest>().map_err(|error| error.to_string())?;
        let size = size.parse().map_err(|_| format!("`{size}` is no size"))?;
        files.push((path.to_owned(), digest, size));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text() -> String {
        format!(
            "Origin: Debian\nSuite: stable\nCodename: trixie\nDate: Sat, 12 Sep 2026 07:55:41 UTC\n\
             Valid-Until: Sat, 19 Sep 2026 07:55:41 UTC\nAcquire-By-Hash: yes\nArchitectures: all amd64\n\
             MD5Sum:\n 0 1 main/x\nSHA256:\n {} 42 main/binary-amd64/Packages.xz\n",
            "a".repeat(64)
        )
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn reads_dates_and_digests() {
        let release = Release::parse(&text(), "InRelease").unwrap();
        assert_eq!(release.date, at("2026-09-12T07:55:41Z"));
        assert!(release.by_hash && release.has_architecture("amd64") && !release.has_architecture("arm64"));
        assert_eq!(release.file("main/binary-amd64/Packages.xz").unwrap().1, 42);
        assert!(release.file("main/x").is_none());
        release.check("trixie", at("2026-09-13T00:00:00Z"), "InRelease").unwrap();
        release.check("stable", at("2026-09-13T00:00:00Z"), "InRelease").unwrap();
    }

    #[test]
    fn dates_and_suites_that_do_not_hold_are_refused() {
        let release = Release::parse(&text(), "InRelease").unwrap();
        let refused = |suite: &str, now: &str| release.check(suite, at(now), "InRelease").unwrap_err().to_string();
        assert!(refused("trixie", "2026-09-20T00:00:00Z").contains("it was valid until 2026-09-19T07:55:41Z"));
        assert!(refused("trixie", "2026-09-10T00:00:00Z").contains("in the future"));
        assert!(refused("forky", "2026-09-13T00:00:00Z").contains("the release file of stable, trixie"));
    }

    #[test]
    fn broken_files_are_malformed() {
        for (from, to) in [("Date: Sat", "Date: Some"), ("Date:", "When:"), ("SHA256:", "SHA512:"), (" 42 ", " forty ")]
        {
            let broken = text().replacen(from, to, 1);
            assert!(matches!(Release::parse(&broken, "f"), Err(DebianError::Malformed { .. })), "{broken}");
        }
    }
}
