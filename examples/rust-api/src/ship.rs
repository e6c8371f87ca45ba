//! A ship and its load line.

use serde::{Deserialize, Serialize};

/// A ship as it lies in the water; lengths in metres.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct Ship {
    /// From the keel to the deck.
    pub depth: f64,
    /// From the keel to the load line.
    pub mark: f64,
    /// From the keel to the water.
    pub draught: f64,
}

/// What an inspector says.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Verdict {
    /// From the water to the deck.
    pub freeboard: f64,
    /// How much deeper she may lie; negative when she lies too deep.
    pub reserve: f64,
    /// Whether she must stay in port.
    pub overloaded: bool,
}

impl Ship {
    /// Whether the numbers can be those of a ship that floats.
    pub fn is_plausible(&self) -> bool {
        let lengths = [self.depth, self.mark, self.draught];
        lengths.iter().all(|length| length.is_finite() && *length > 0.0) && self.mark < self.depth
    }

    /// Compares the water with the load line.
    pub fn verdict(&self) -> Verdict {
        let reserve = self.mark - self.draught;
        Verdict { freeboard: self.depth - self.draught, reserve, overloaded: reserve < 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ship_below_her_mark_is_overloaded() {
        let ship = Ship { depth: 10.0, mark: 7.5, draught: 8.0 };
        assert!(ship.verdict().overloaded);
        assert!(!Ship { draught: 7.0, ..ship }.verdict().overloaded);
    }

    #[test]
    fn a_mark_above_the_deck_is_none() {
        assert!(!Ship { depth: 7.0, mark: 7.5, draught: 5.0 }.is_plausible());
        assert!(!Ship { depth: f64::NAN, mark: 7.5, draught: 5.0 }.is_plausible());
    }
}
