//! HEALTHCHECK.

use std::time::Duration;

use super::super::duration;
use super::super::flags::{Known, Shape};
use super::{Mistake, Reader};
use crate::kind::{Healthcheck, HealthcheckTest};
use crate::suggest;

impl Reader<'_> {
    pub(super) fn healthcheck(&mut self) -> Option<Healthcheck> {
        let Some((word, rest)) = self.args().split_first() else {
            self.wrong_with_hint("HEALTHCHECK needs a check", "write `HEALTHCHECK CMD command` or `HEALTHCHECK NONE`");
            return None;
        };
        let none = Healthcheck {
            test: HealthcheckTest::None,
            interval: None,
            timeout: None,
            start_period: None,
            start_interval: None,
            retries: 0,
        };
        if word.eq_ignore_ascii_case("NONE") {
            if !rest.is_empty() {
                self.wrong("HEALTHCHECK NONE takes no arguments");
            }
            return Some(none);
        }
        let flags = self.flags(&[
            ("interval", Shape::Text),
            ("timeout", Shape::Text),
            ("start-period", Shape::Text),
            ("start-interval", Shape::Text),
            ("retries", Shape::Text),
        ]);
        if !word.eq_ignore_ascii_case("CMD") {
            let hint = suggest::hint(word, ["CMD", "NONE"]).unwrap_or("it takes `CMD command` or `NONE`".to_owned());
            self.mistakes.push(Mistake::new(word.span, format!("HEALTHCHECK does not know `{word}`")).hint(hint));
            return None;
        }
        let command = self.command(rest);
        if command.is_empty() {
            self.wrong("HEALTHCHECK CMD needs a command");
            return None;
        }
        Some(Healthcheck {
            test: HealthcheckTest::Command(command),
            interval: self.duration(&flags, "interval"),
            timeout: self.duration(&flags, "timeout"),
            start_period: self.duration(&flags, "start-period"),
            start_interval: self.duration(&flags, "start-interval"),
            retries: self.retries(&flags),
        })
    }

    fn duration(&mut self, flags: &Known<'_>, name: &str) -> Option<Duration> {
        let text = flags.text(name).filter(|text| !text.is_empty())?;
        let hint = "durations are written like `30s` or `1m30s`".to_owned();
        match duration::parse(&text) {
            None => {
                let message = format!("`{text}` is no duration");
                self.mistakes.push(Mistake::new(text.span, message).hint(hint));
                None
            }
            Some(Duration::ZERO) => None,
            Some(duration) if duration < Duration::from_millis(1) => {
                let message = format!("`--{name}` cannot be shorter than a millisecond");
                self.mistakes.push(Mistake::new(text.span, message));
                None
            }
            found => found,
        }
    }

    fn retries(&mut self, flags: &Known<'_>) -> u32 {
        let Some(text) = flags.text("retries").filter(|text| !text.is_empty()) else {
            return 0;
        };
        let retries = text.parse::<i32>().ok().and_then(|number| u32::try_from(number).ok());
        if retries.is_none() {
            self.mistakes.push(Mistake::new(text.span, format!("`{text}` is no number of retries")));
        }
        retries.unwrap_or(0)
    }
}
