//! Images: names, documents, layers.

use std::io::Read;

use plim_build::{CacheTable, MountTable, fuzz_ssh};
use plim_oci::compress::{decompressor, fuzz_frames};
use plim_oci::tar::{Limits, TarError, read_layer};
use plim_oci::{ImageConfig, Index, Location, Manifest, Reference};

/// What a name displays as parses to the same name.
pub fn reference(data: &[u8]) {
    crate::text(data, |text| {
        if let Ok(reference) = text.parse::<Reference>() {
            let shown = reference.to_string();
            assert_eq!(shown.parse().as_ref(), Ok(&reference), "{shown}");
            let familiar = reference.familiar();
            assert_eq!(familiar.parse().as_ref(), Ok(&reference), "{familiar}");
        }
        if let Ok(location) = text.parse::<Location>() {
            let shown = location.to_string();
            assert_eq!(shown.parse().as_ref(), Ok(&location), "{shown}");
        }
    });
}

/// A document that was read is written so that it reads the same.
pub fn documents(data: &[u8]) {
    round_trip::<Manifest>(data);
    round_trip::<Index>(data);
    round_trip::<ImageConfig>(data);
}

fn round_trip<T: serde::Serialize + for<'de> serde::Deserialize<'de> + PartialEq + std::fmt::Debug>(data: &[u8]) {
    if let Ok(value) = serde_json::from_slice::<T>(data) {
        let written = serde_json::to_vec(&value).expect("what was read can be written");
        assert_eq!(serde_json::from_slice::<T>(&written).expect("what was written can be read"), value);
    }
}

/// A table of a cache, or of cache directories, that was read is written so that it reads the same.
pub fn cache_table(data: &[u8]) {
    if let Ok(table) = CacheTable::parse(data) {
        let written = table.to_json();
        assert_eq!(CacheTable::parse(&written).expect("what was written can be read"), table);
        let mut twice = table.clone();
        twice.merge(&table);
        assert_eq!(twice.to_json(), written, "nothing new comes of what is known");
    }
    if let Ok(table) = MountTable::parse(data) {
        assert_eq!(MountTable::parse(&table.to_json()).expect("what was written can be read"), table);
    }
}

/// A table of frames of a layer is read or refused.
pub fn frames(data: &[u8]) {
    fuzz_frames(data);
}

/// A private key in a file (length in two bytes, then the file) and the questions to an agent that has it.
pub fn ssh_agent(data: &[u8]) {
    let Some((length, rest)) = data.split_first_chunk::<2>() else { return };
    let Some((file, conversation)) = rest.split_at_checked(u16::from_le_bytes(*length).into()) else { return };
    fuzz_ssh(file, conversation);
}

/// A layer, compressed or not, is read or refused; paths stay below the root and contents have their size.
pub fn tar(data: &[u8]) {
    let limits = Limits { entries: 1000, ..Limits::default() };
    check(data, &limits);
    check(decompressor(data).take(16 << 20), &limits);
}

fn check(reader: impl Read, limits: &Limits) {
    let _ = read_layer(reader, limits, &mut |head, content| -> Result<(), TarError> {
        assert!(!head.path.starts_with(b"/") && !head.path.ends_with(b"/"), "{}", head.path);
        let parts = head.path.split(|byte| *byte == b'/');
        assert!(
            head.path.is_empty() || parts.into_iter().all(|part| !matches!(part, b"" | b"." | b"..")),
            "{}",
            head.path
        );
        let read = std::io::copy(content, &mut std::io::sink())?;
        assert_eq!(read, head.size, "{}", head.path);
        Ok(())
    });
}
