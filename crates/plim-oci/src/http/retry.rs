//! When to try again, and how long to wait.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use super::Response;

/// Nobody waits longer than this for one more attempt, whatever the server asks.
const LONGEST: Duration = Duration::from_mins(1);

/// How often and how patiently to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Attempts in all, at least one.
    pub attempts: u32,
    /// Pause after the first failure; doubled after each, give or take a half.
    pub pause: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 5, pause: Duration::from_millis(500) }
    }
}

impl Retry {
    /// Returns the pause after an attempt that failed; the first is 1.
    pub(crate) fn pause(self, attempt: u32, asked: Option<Duration>) -> Duration {
        if let Some(asked) = asked {
            return asked.min(LONGEST);
        }
        let longest = self.pause.saturating_mul(1 << attempt.saturating_sub(1).min(10));
        // many clients that failed together must not come back together
        let luck = RandomState::new().build_hasher().finish() % 1000;
        longest.mul_f64(0.5 + luck as f64 / 1000.0).min(LONGEST)
    }
}

/// Says whether a status means "not now" and not "no" (RFC 9110, 15.5 and 15.6; RFC 6585).
pub(super) fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
}

/// Returns the pause that a server asks for: seconds or a date (RFC 9110, 10.2.3).
pub(super) fn asked_pause(response: &Response) -> Option<Duration> {
    let text = response.header("retry-after")?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Duration::try_from(date.duration_since(jiff::Timestamp::now())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_in_bounds() {
        let retry = Retry { attempts: 9, pause: Duration::from_millis(100) };
        for attempt in 1..40 {
            let pause = retry.pause(attempt, None);
            assert!(pause >= Duration::from_millis(50) && pause <= LONGEST, "{pause:?}");
        }
        assert_eq!(retry.pause(1, Some(Duration::from_secs(3))), Duration::from_secs(3));
        assert_eq!(retry.pause(1, Some(Duration::from_secs(4000))), LONGEST);
    }
}
