//! Tars of which the test chooses every byte: what no writer would write.

/// Where the header has its size, octal digits and a NUL.
pub const SIZE: std::ops::Range<usize> = 124..136;
/// Where the header has its time of change.
pub const MTIME: std::ops::Range<usize> = 136..148;
/// Where the header has its owner.
pub const UID: std::ops::Range<usize> = 108..116;

const BLOCK: usize = 512;

/// Builds a tar header by header. Checksums are made right unless the test spoils them.
#[derive(Debug, Clone, Default)]
pub struct RawTar {
    bytes: Vec<u8>,
}

impl RawTar {
    /// Returns an empty archive.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry of a type flag; name and link at most 100 bytes.
    #[must_use]
    pub fn entry(self, name: &[u8], kind: u8, link: &[u8], content: &[u8]) -> Self {
        self.spoiled(name, kind, link, content, |_| {})
    }

    /// Adds an entry whose header is changed before its checksum is taken.
    #[must_use]
    pub fn spoiled(
        mut self,
        name: &[u8],
        kind: u8,
        link: &[u8],
        content: &[u8],
        spoil: impl FnOnce(&mut [u8; BLOCK]),
    ) -> Self {
        self.bytes.extend(header(name, kind, link, content.len() as u64, spoil));
        self.bytes.extend(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(BLOCK), 0);
        self
    }

    /// Adds an extended header of records for the next entry (POSIX pax).
    #[must_use]
    pub fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let mut content = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let mut length = rest + 1;
            while length != rest + length.to_string().len() {
                length += 1;
            }
            content.extend(format!("{length} {key}=").as_bytes());
            content.extend(*value);
            content.push(b'\n');
        }
        self.entry(b"PaxHeaders/x", b'x', b"", &content)
    }

    /// Adds a name of any length for the next entry, as GNU tar writes it.
    #[must_use]
    pub fn long_name(self, name: &[u8]) -> Self {
        self.entry(b"././@LongLink", b'L', b"", &[name, b"\0"].concat())
    }

    /// Returns the archive as it is so far, without an end.
    pub fn cut(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the whole archive.
    pub fn end(mut self) -> Vec<u8> {
        self.bytes.extend([0; 2 * BLOCK]);
        self.bytes
    }
}

/// Returns a header, changed before its checksum is taken.
pub fn header(name: &[u8], kind: u8, link: &[u8], size: u64, spoil: impl FnOnce(&mut [u8; BLOCK])) -> [u8; BLOCK] {
    let mut block = [0_u8; BLOCK];
    block[..name.len()].copy_from_slice(name);
    block[100..107].copy_from_slice(b"0000644");
    block[SIZE.start..SIZE.end - 1].copy_from_slice(format!("{size:011o}").as_bytes());
    block[156] = kind;
    block[157..157 + link.len()].copy_from_slice(link);
    block[257..265].copy_from_slice(b"ustar\x0000");
    spoil(&mut block);
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}
