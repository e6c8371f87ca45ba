//! A figure of two images as two bars of one scale: what the template `versus.html` shows.

use serde::Serialize;

use super::percent_of;
use crate::numbers::{bytes, change, count};

/// The figure.
#[derive(Debug, Serialize)]
pub(crate) struct Bar {
    name: &'static str,
    before: String,
    after: String,
    change: String,
    wide_before: String,
    wide_after: String,
}

impl Bar {
    /// Returns a figure whose numbers are shown in some way.
    pub(crate) fn new(name: &'static str, show: impl Fn(f64) -> String, before: f64, after: f64) -> Self {
        Self {
            name,
            before: show(before),
            after: show(after),
            change: if (before - after).abs() > 0.0 { change(before, after) } else { String::new() },
            wide_before: percent_of(before, before.max(after)),
            wide_after: percent_of(after, before.max(after)),
        }
    }

    /// Returns a figure in bytes.
    pub(crate) fn of_bytes(name: &'static str, before: u64, after: u64) -> Self {
        Self::new(name, |value| bytes(value as u64), before as f64, after as f64)
    }

    /// Returns a number of things.
    pub(crate) fn of_things(name: &'static str, before: u64, after: u64) -> Self {
        Self::new(name, |value| count(value as u64), before as f64, after as f64)
    }
}
