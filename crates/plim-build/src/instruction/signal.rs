//! Names of signals.

/// The names that Linux gives to its signals, without `SIG`.
const NAMES: [&str; 37] = [
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE", "POLL",
    "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "URG", "USR1",
    "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX", "UNUSED",
];
/// The greatest signal number of Linux.
const LAST: u32 = 64;
/// How far `RTMIN+n` and `RTMAX-n` go.
const REALTIME: (u32, u32) = (15, 14);

/// Says whether a text names a signal: a number, or a name with or without `SIG`, in any case.
pub(super) fn is_signal(text: &str) -> bool {
    if let Ok(number) = text.parse::<u32>() {
        return (1..=LAST).contains(&number);
    }
    let name = text.to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    let offset = |text: &str, most: u32| text.parse::<u32>().is_ok_and(|offset| (1..=most).contains(&offset));
    NAMES.contains(&name)
        || name.strip_prefix("RTMIN+").is_some_and(|text| offset(text, REALTIME.0))
        || name.strip_prefix("RTMAX-").is_some_and(|text| offset(text, REALTIME.1))
}

#[cfg(test)]
mod tests {
    use super::is_signal;

    #[test]
    fn signals_have_numbers_and_names() {
        for good in ["9", "SIGTERM", "term", "sigusr1", "RTMIN+3", "SIGRTMAX-14", "64"] {
            assert!(is_signal(good), "{good}");
        }
        for bad in ["", "0", "65", "-1", "SIG", "SIGFOO", "RTMIN+16", "RTMAX+1", "BLAHBLAHBLAH"] {
            assert!(!is_signal(bad), "{bad}");
        }
    }
}
