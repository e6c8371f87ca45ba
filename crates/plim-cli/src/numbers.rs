//! Numbers and tables for people.

use crate::show::names::width as width_of;

/// Bytes in the decimal units that registries and disks use: `1.39 GB`, `57.2 MB`, `812 kB`.
pub(crate) fn bytes(count: u64) -> String {
    let value = count as f64;
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.0} kB", value / 1e3),
        1_000_000..100_000_000 => format!("{:.1} MB", value / 1e6),
        100_000_000..1_000_000_000 => format!("{:.0} MB", value / 1e6),
        _ => format!("{:.2} GB", value / 1e9),
    }
}

/// Seconds: `0.08 s`, `4.2 s`, `73 s`.
pub(crate) fn seconds(value: f64) -> String {
    if !value.is_finite() {
        "?".to_owned()
    } else if value < 0.995 {
        format!("{value:.2} s")
    } else if value < 99.5 {
        format!("{value:.1} s")
    } else {
        format!("{value:.0} s")
    }
}

/// A number of things: `1 layer`, `7 layers`.
pub(crate) fn plural(count: usize, thing: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{s}")
}

/// A whole number with thin groups: `12,345`.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The change from one number to another: `-91.8 %`, `+3.0 %`; empty when there was nothing.
pub(crate) fn change(before: f64, after: f64) -> String {
    if before <= 0.0 {
        return String::new();
    }
    format!("{:+.1} %", (after / before - 1.0) * 100.0)
}

/// Columns of text: the first `left` columns left-aligned, the others right-aligned, two blanks between.
#[derive(Debug, Default)]
pub(crate) struct Table {
    left: usize,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Returns an empty table whose first `left` columns are left-aligned.
    pub(crate) fn new(left: usize) -> Self {
        Self { left, rows: Vec::new() }
    }

    /// Adds a row; rows may be of different lengths.
    pub(crate) fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.rows.push(cells.iter().map(|cell| (*cell).to_owned()).collect());
    }

    /// Returns the lines, each indented by two blanks, without blanks at the ends.
    pub(crate) fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|cell| width_of(cell)).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut out = String::new();
        for row in &self.rows {
            let mut line = String::from(" ");
            for (column, cell) in row.iter().enumerate() {
                let pad = " ".repeat(widths[column].saturating_sub(width_of(cell)));
                line.push_str(if column == 0 { " " } else { "  " });
                if column < self.left {
                    line.push_str(cell);
                    line.push_str(&pad);
                } else {
                    line.push_str(&pad);
                    line.push_str(cell);
                }
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits_at_most() {
        assert_eq!(
            [bytes(999), bytes(812_400), bytes(57_230_000), bytes(612_000_000), bytes(1_394_000_000)],
            ["999 B", "812 kB", "57.2 MB", "612 MB", "1.39 GB"]
        );
    }

    #[test]
    fn a_change_has_a_sign() {
        assert_eq!(change(100.0, 8.2), "-91.8 %");
        assert_eq!(change(0.0, 8.2), "");
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!([count(12), count(1234), count(1_234_567)], ["12", "1,234", "1,234,567"]);
    }

    #[test]
    fn numbers_are_right_aligned() {
        let mut table = Table::new(1);
        table.row(["size", "1.39 GB", "9 MB"]);
        table.row(["layers", "8", "12"]);
        assert_eq!(table.render(), "  size    1.39 GB  9 MB\n  layers        8    12\n");
    }
}
