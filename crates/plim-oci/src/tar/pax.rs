//! Extended header records: `LENGTH KEY=VALUE\n`, the length counting the whole record.

/// Appends a record.
pub(super) fn push(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    // the length's own digits count, so a longer number may be needed than that of the rest alone
    let rest = key.len() + value.len() + 3;
    let mut length = rest + digits(rest);
    if digits(length) > digits(rest) {
        length = rest + digits(length);
    }
    out.extend_from_slice(length.to_string().as_bytes());
    out.push(b' ');
    out.extend_from_slice(key);
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

fn digits(number: usize) -> usize {
    number.checked_ilog10().unwrap_or(0) as usize + 1
}

/// Walks the records of an extended header; `None` for the first that is malformed, after which it ends.
pub(super) struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Option<(&'a [u8], &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        // some writers fill up with NULs
        if self.rest.iter().all(|byte| *byte == 0) {
            return None;
        }
        let record = split(self.rest);
        self.rest = record.map_or(&[], |(_, _, rest)| rest);
        Some(record.map(|(key, value, _)| (key, value)))
    }
}

type Record<'a> = (&'a [u8], &'a [u8], &'a [u8]);

fn split(bytes: &[u8]) -> Option<Record<'_>> {
    let space = bytes.iter().take(20).position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&bytes[..space]).ok()?.parse().ok()?;
    let record = bytes.get(space + 1..length)?;
    let record = record.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some((&record[..equals], &record[equals + 1..], &bytes[length..]))
}

/// Parses a decimal number of seconds and drops its fraction, downwards.
pub(super) fn seconds(value: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(value).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds: i64 = whole.parse().ok()?;
    let below = whole.starts_with('-') && fraction.bytes().any(|byte| byte != b'0');
    seconds.checked_sub(i64::from(below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_its_own_length() {
        for length in 0..2000 {
            let mut out = Vec::new();
            let value = vec![b'x'; length];
            push(&mut out, b"path", &value);
            let stated: usize = std::str::from_utf8(&out).unwrap().split_once(' ').unwrap().0.parse().unwrap();
            assert_eq!(stated, out.len());
            assert_eq!(Records::new(&out).next(), Some(Some((&b"path"[..], &value[..]))));
        }
    }

    #[test]
    fn malformed_records_end_the_walk() {
        for text in [&b"5 a=b\n"[..], b"99 a=b\n", b"6 a=b", b"x a=b\n", b"6 abc\n", b"2 a=b\n", b"0 a=b\n"] {
            let mut records = Records::new(text);
            assert_eq!(records.next(), Some(None), "{text:?}");
            assert_eq!(records.next(), None);
        }
        assert_eq!(Records::new(b"\0\0").next(), None);
    }

    #[test]
    fn fractions_of_seconds_are_dropped_downwards() {
        assert_eq!(seconds(b"12.75"), Some(12));
        assert_eq!(seconds(b"-12.75"), Some(-13));
        assert_eq!(seconds(b"-0.5"), Some(-1));
        assert_eq!(seconds(b"-3"), Some(-3));
        assert_eq!(seconds(b"1.x"), None);
    }
}
