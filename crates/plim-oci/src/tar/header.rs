//! The 512-byte header block: where its fields are, and its numbers.

use super::BLOCK;

/// A header block.
pub(super) type Block = [u8; BLOCK];

/// Where a field is in the block.
pub(super) type Field = std::ops::Range<usize>;

pub(super) const NAME: Field = 0..100;
pub(super) const MODE: Field = 100..108;
pub(super) const UID: Field = 108..116;
pub(super) const GID: Field = 116..124;
pub(super) const SIZE: Field = 124..136;
pub(super) const MTIME: Field = 136..148;
pub(super) const CHECKSUM: Field = 148..156;
pub(super) const TYPE: usize = 156;
pub(super) const LINK: Field = 157..257;
pub(super) const MAGIC: Field = 257..263;
pub(super) const VERSION: Field = 263..265;
pub(super) const MAJOR: Field = 329..337;
pub(super) const MINOR: Field = 337..345;
pub(super) const PREFIX: Field = 345..500;

/// Which fields a block has beyond those of the oldest tars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// No magic: name, numbers, link and nothing else.
    V7,
    /// POSIX: device numbers and a path prefix.
    Ustar,
    /// Jörg Schilling's star: a shorter prefix.
    Star,
    /// GNU: device numbers; what is the prefix elsewhere holds times.
    Gnu,
}

impl Format {
    pub(super) fn of(block: &Block) -> Self {
        match &block[257..265] {
            b"ustar  \0" => Self::Gnu,
            magic if magic.starts_with(b"ustar\0") => {
                if &block[508..512] == b"tar\0" {
                    Self::Star
                } else {
                    Self::Ustar
                }
            }
            _ => Self::V7,
        }
    }

    pub(super) fn prefix(self) -> Option<Field> {
        match self {
            Self::Ustar => Some(PREFIX),
            Self::Star => Some(345..476),
            Self::V7 | Self::Gnu => None,
        }
    }
}

/// Returns the bytes of a text field, up to its first NUL.
pub(super) fn text(block: &Block, field: Field) -> &[u8] {
    let bytes = &block[field];
    &bytes[..bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len())]
}

/// Returns a number field: octal digits, or GNU's big-endian binary when the first bit is set. An empty
/// field is 0; `None` if it is no number or does not fit.
pub(super) fn number(block: &Block, field: Field) -> Option<i64> {
    let bytes = &block[field];
    if bytes[0] & 0x80 != 0 {
        // two's complement without the marker bit; the second bit is the sign
        let negative = bytes[0] & 0x40 != 0;
        let mut value: i128 = if negative { -1 } else { 0 };
        for (place, byte) in bytes.iter().enumerate() {
            let byte = match (place, negative) {
                (0, true) => byte | 0x80,
                (0, false) => byte & 0x7f,
                _ => *byte,
            };
            value = (value << 8) | i128::from(byte);
        }
        return i64::try_from(value).ok();
    }
    let digits = bytes.trim_ascii_start();
    let end = digits.iter().position(|byte| matches!(byte, 0 | b' ')).unwrap_or(digits.len());
    // some writers begin an empty field with NUL
    digits[..end].iter().try_fold(0_i64, |value, byte| match byte {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(i64::from(byte - b'0')),
        _ => None,
    })
}

/// Writes a number as octal digits with a NUL after them; false if the field is too small, and then the
/// field holds 0.
pub(super) fn set_number(block: &mut Block, field: Field, value: i64) -> bool {
    let width = field.len() - 1;
    let fits = value >= 0 && value < 1_i64 << (3 * width);
    let mut rest = if fits { value } else { 0 };
    for slot in block[field.start..field.start + width].iter_mut().rev() {
        *slot = b'0' + (rest & 7) as u8;
        rest >>= 3;
    }
    block[field.end - 1] = 0;
    fits
}

/// Writes a text as far as it fits; false if it does not.
pub(super) fn set_text(block: &mut Block, field: Field, text: &[u8]) -> bool {
    let length = text.len().min(field.len());
    block[field.start..field.start + length].copy_from_slice(&text[..length]);
    text.len() <= field.len()
}

/// Sets the checksum: the sum of all bytes with the checksum field as spaces.
pub(super) fn seal(block: &mut Block) {
    block[CHECKSUM].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    let digits = format!("{sum:06o}\0 ");
    block[CHECKSUM].copy_from_slice(digits.as_bytes());
}

/// Says whether the checksum is right, as unsigned bytes or, as some old tars have it, as signed ones.
pub(super) fn is_sealed(block: &Block) -> bool {
    let Some(stated) = number(block, CHECKSUM) else { return false };
    let (mut unsigned, mut signed) = (0_i64, 0_i64);
    for (place, byte) in block.iter().enumerate() {
        let byte = if CHECKSUM.contains(&place) { b' ' } else { *byte };
        unsigned += i64::from(byte);
        signed += i64::from(byte.cast_signed());
    }
    stated == unsigned || stated == signed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(bytes: &[u8]) -> Option<i64> {
        let mut block = [0; BLOCK];
        block[SIZE][..bytes.len()].copy_from_slice(bytes);
        number(&block, SIZE)
    }

    #[test]
    fn numbers_are_octal_or_binary() {
        assert_eq!(field(b"00000000017\0"), Some(15));
        assert_eq!(field(b"     17 \0"), Some(15));
        assert_eq!(field(b""), Some(0));
        assert_eq!(field(b"12x"), None);
        assert_eq!(field(b"\x80\0\0\0\0\0\0\x02\0\0\0\0"), Some(8 << 30));
        assert_eq!(field(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe"), Some(-2));
        assert_eq!(field(b"\x81\0\0\0\0\0\0\0\0\0\0\0"), None);
    }

    #[test]
    fn numbers_that_do_not_fit_leave_zero() {
        let mut block = [0; BLOCK];
        assert!(set_number(&mut block, UID, 0o7_777_777));
        assert_eq!(number(&block, UID), Some(0o7_777_777));
        assert!(!set_number(&mut block, UID, 0o10_000_000));
        assert_eq!(number(&block, UID), Some(0));
        assert!(!set_number(&mut block, MTIME, -1));
    }
}
