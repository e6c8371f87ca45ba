//! Where the cells of a treemap lie: the squarified layout of Bruls, Huizing and van Wijk (Squarified Treemaps, 2000), in which
//! cells are laid in rows along the shorter side for as long as that makes the worst of them less oblong.

use serde::Serialize;

/// A rectangle; the unit is the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Rect {
    /// Left edge.
    pub(crate) x: f64,
    /// Upper edge.
    pub(crate) y: f64,
    /// Width.
    pub(crate) w: f64,
    /// Height.
    pub(crate) h: f64,
}

impl Rect {
    /// Returns what is left inside of a margin; never less than nothing.
    pub(crate) fn inside(self, left: f64, top: f64, right: f64, bottom: f64) -> Self {
        Self {
            x: self.x + left,
            y: self.y + top,
            w: (self.w - left - right).max(0.0),
            h: (self.h - top - bottom).max(0.0),
        }
    }
}

/// Returns a rectangle for each size, in the same order: together they fill `bounds`, their areas are in proportion. Sizes must be
/// in descending order to look well; one that is zero, or no number, gets no area.
pub(crate) fn squarify(sizes: &[f64], bounds: Rect) -> Vec<Rect> {
    let sizes: Vec<f64> = sizes.iter().map(|size| if size.is_finite() { size.max(0.0) } else { 0.0 }).collect();
    let total: f64 = sizes.iter().sum();
    let area = bounds.w * bounds.h;
    let mut out = Vec::with_capacity(sizes.len());
    let mut free = bounds;
    if total <= 0.0 || !area.is_finite() || area <= 0.0 {
        return sizes.iter().map(|_| Rect { w: 0.0, h: 0.0, ..bounds }).collect();
    }
    let scale = area / total;
    let mut rest = &sizes[..];
    while !rest.is_empty() {
        let side = free.w.min(free.h);
        let row = row_length(rest, side, scale);
        let last = row == rest.len();
        lay_row(&rest[..row], scale, last, &mut free, &mut out);
        rest = &rest[row..];
    }
    out
}

/// How many sizes belong in the next row along a side.
fn row_length(sizes: &[f64], side: f64, scale: f64) -> usize {
    let (mut sum, mut largest, mut smallest) = (0.0, 0.0_f64, f64::INFINITY);
    let mut worst = f64::INFINITY;
    for (number, size) in sizes.iter().map(|size| size * scale).enumerate() {
        sum += size;
        largest = largest.max(size);
        smallest = smallest.min(size);
        let ratio = if smallest <= 0.0 {
            f64::INFINITY
        } else {
            (side * side * largest / (sum * sum)).max(sum * sum / (side * side * smallest))
        };
        if number > 0 && ratio > worst {
            return number;
        }
        worst = ratio;
    }
    sizes.len()
}

/// Lays a row along the shorter side of the free space and takes it off.
fn lay_row(row: &[f64], scale: f64, last: bool, free: &mut Rect, out: &mut Vec<Rect>) {
    let sum: f64 = row.iter().sum();
    let upright = free.w >= free.h;
    let side = if upright { free.h } else { free.w };
    let length = if upright { free.w } else { free.h };
    // the last row takes what is there, so that rounding leaves neither a gap nor an overlap
    let thick = if last { length } else { (sum * scale / side.max(f64::MIN_POSITIVE)).min(length) };
    let mut done = 0.0;
    for size in row {
        let from = if sum > 0.0 { side * done / sum } else { 0.0 };
        done += size;
        let to = if sum > 0.0 { side * done / sum } else { 0.0 };
        out.push(if upright {
            Rect { x: free.x, y: free.y + from, w: thick, h: to - from }
        } else {
            Rect { x: free.x + from, y: free.y, w: to - from, h: thick }
        });
    }
    if upright {
        free.x += thick;
        free.w = (free.w - thick).max(0.0);
    } else {
        free.y += thick;
        free.h = (free.h - thick).max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: Rect = Rect { x: 3.0, y: 5.0, w: 600.0, h: 400.0 };

    #[test]
    fn the_example_of_the_paper_comes_out_as_there() {
        let cells = squarify(&[6.0, 6.0, 4.0, 3.0, 2.0, 2.0, 1.0], Rect { x: 0.0, y: 0.0, w: 6.0, h: 4.0 });
        let rounded: Vec<_> = cells
            .iter()
            .map(|cell| [cell.x, cell.y, cell.w, cell.h].map(|value| (value * 100.0).round() as i64))
            .collect();
        assert_eq!(rounded[0], [0, 0, 300, 200]);
        assert_eq!(rounded[1], [0, 200, 300, 200]);
        assert_eq!(rounded[2], [300, 0, 171, 233]);
        assert_eq!(rounded[3], [471, 0, 129, 233]);
    }

    #[test]
    fn nothing_to_show_has_no_area() {
        for sizes in [&[][..], &[0.0, 0.0], &[f64::NAN, f64::INFINITY, -1.0]] {
            let cells = squarify(sizes, BOUNDS);
            assert_eq!(cells.len(), sizes.len());
            assert!(cells.iter().all(|cell| cell.w * cell.h == 0.0));
        }
        assert!(squarify(&[1.0], Rect { w: 0.0, ..BOUNDS })[0].w == 0.0);
    }

    proptest! {
        #[test]
        fn cells_are_in_proportion_inside_and_apart(
            mut sizes in prop::collection::vec(prop_oneof![Just(0.0), 1.0..10.0, 1.0..1e9], 1..60),
            descending in any::<bool>(),
            w in 1.0..2000.0,
            h in 1.0..2000.0,
        ) {
            if descending {
                sizes.sort_by(|a, b| f64::total_cmp(b, a));
            }
            let bounds = Rect { x: 7.0, y: 11.0, w, h };
            let cells = squarify(&sizes, bounds);
            prop_assert_eq!(cells.len(), sizes.len());
            let total: f64 = sizes.iter().sum();
            let slack = 1e-6 * (w + h);
            for (cell, size) in cells.iter().zip(&sizes) {
                prop_assert!(cell.w >= 0.0 && cell.h >= 0.0);
                prop_assert!(cell.x >= bounds.x - slack && cell.x + cell.w <= bounds.x + w + slack);
                prop_assert!(cell.y >= bounds.y - slack && cell.y + cell.h <= bounds.y + h + slack);
                if total > 0.0 {
                    let wanted = size / total * w * h;
                    prop_assert!((cell.w * cell.h - wanted).abs() <= 1e-6 * w * h, "{} is not {wanted}", cell.w * cell.h);
                }
            }
            for (number, one) in cells.iter().enumerate() {
                for other in &cells[number + 1..] {
                    let across = (one.x + one.w).min(other.x + other.w) - one.x.max(other.x);
                    let down = (one.y + one.h).min(other.y + other.h) - one.y.max(other.y);
                    prop_assert!(across <= slack || down <= slack || across * down <= 1e-6 * w * h, "{one:?} {other:?}");
                }
            }
        }
    }
}
