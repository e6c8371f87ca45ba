//! Modes as `--chmod` takes them: octal, or symbolic as chmod(1) does, with a umask of 0.

use std::str::FromStr;

use super::FilesError;

/// A change of mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Chmod {
    /// These bits and no others.
    Exact(u32),
    /// Changes, one after the other.
    Changes(Vec<Change>),
}

/// One `u+x` of a symbolic mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    /// Which of the classes user (4), group (2) and others (1) it is about.
    who: u32,
    operator: u8,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// `r`, `w`, `x` as bits 4, 2, 1; `X`; `s`; `t`.
    Bits { rwx: u32, exec_if_any: bool, set_id: bool, sticky: bool },
    /// The bits that this class has (shift of its bits).
    Copy(u32),
}

impl Chmod {
    /// Returns the mode of a file or directory that had `mode`.
    pub(crate) fn apply(&self, mode: u32, is_dir: bool) -> u32 {
        match self {
            Self::Exact(mode) => *mode,
            Self::Changes(changes) => changes.iter().fold(mode, |mode, change| change.apply(mode, is_dir)),
        }
    }

    /// Returns the mode of directories that are created on the way to the destination.
    pub(crate) fn of_parents(&self) -> u32 {
        match self {
            Self::Exact(mode) => mode & 0o777,
            Self::Changes(_) => 0o755,
        }
    }
}

impl FromStr for Chmod {
    type Err = FilesError;

    fn from_str(text: &str) -> Result<Self, FilesError> {
        let refuse = |why: &str| FilesError::Subject(format!("--chmod={text} is no mode: {why}"));
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            return match u32::from_str_radix(text, 8) {
                Ok(mode) if mode <= 0o7777 => Ok(Self::Exact(mode)),
                _ => Err(refuse("an octal mode is between 0 and 7777")),
            };
        }
        let mut changes = Vec::new();
        for clause in text.split(',') {
            parse_clause(clause.as_bytes(), &mut changes)
                .ok_or_else(|| refuse("write an octal number, or changes such as u=rwX,go=rX"))?;
        }
        Ok(Self::Changes(changes))
    }
}

impl Change {
    fn apply(self, mode: u32, is_dir: bool) -> u32 {
        let classes = [(4, 6, 0o4000), (2, 3, 0o2000), (1, 0, 0)];
        let (mut bits, mut mask) = (0, 0);
        for (class, shift, set_id_bit) in classes {
            if self.who & class == 0 {
                continue;
            }
            mask |= 0o7 << shift | set_id_bit;
            match self.what {
                What::Copy(from) => bits |= (mode >> from & 0o7) << shift,
                What::Bits { rwx, exec_if_any, set_id, .. } => {
                    let exec = u32::from(exec_if_any && (is_dir || mode & 0o111 != 0));
                    bits |= (rwx | exec) << shift;
                    if set_id {
                        bits |= set_id_bit;
                    }
                }
            }
        }
        if let What::Bits { sticky: true, .. } = self.what {
            bits |= 0o1000;
        }
        if self.who == 0o7 {
            mask |= 0o1000;
        }
        match self.operator {
            b'+' => mode | bits,
            b'-' => mode & !bits,
            _ => mode & !mask | bits,
        }
    }
}

fn parse_clause(clause: &[u8], changes: &mut Vec<Change>) -> Option<()> {
    let operators = clause.iter().position(|byte| b"+-=".contains(byte))?;
    let mut who = 0;
    for byte in &clause[..operators] {
        who |= match byte {
            b'u' => 4,
            b'g' => 2,
            b'o' => 1,
            b'a' => 7,
            _ => return None,
        };
    }
    if who == 0 {
        who = 7;
    }
    let mut rest = &clause[operators..];
    while let Some((operator, after)) = rest.split_first() {
        let end = after.iter().position(|byte| b"+-=".contains(byte)).unwrap_or(after.len());
        changes.push(Change { who, operator: *operator, what: parse_what(&after[..end])? });
        rest = &after[end..];
    }
    Some(())
}

fn parse_what(text: &[u8]) -> Option<What> {
    if let [class @ (b'u' | b'g' | b'o')] = text {
        return Some(What::Copy(match class {
            b'u' => 6,
            b'g' => 3,
            _ => 0,
        }));
    }
    let (mut rwx, mut exec_if_any, mut set_id, mut sticky) = (0, false, false, false);
    for byte in text {
        match byte {
            b'r' => rwx |= 4,
            b'w' => rwx |= 2,
            b'x' => rwx |= 1,
            b'X' => exec_if_any = true,
            b's' => set_id = true,
            b't' => sticky = true,
            _ => return None,
        }
    }
    Some(What::Bits { rwx, exec_if_any, set_id, sticky })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(text: &str, mode: u32, is_dir: bool) -> String {
        format!("{:04o}", text.parse::<Chmod>().unwrap().apply(mode, is_dir))
    }

    #[test]
    fn octal_modes_replace_all_bits() {
        assert_eq!(applied("640", 0o4755, false), "0640");
        assert_eq!(applied("0", 0o755, false), "0000");
        assert_eq!(applied("4755", 0o600, true), "4755");
        assert_eq!("4755".parse::<Chmod>().unwrap().of_parents(), 0o755);
    }

    #[test]
    fn symbolic_modes_change_what_is_there() {
        assert_eq!(applied("u=rwX,go=rX", 0o600, false), "0644");
        assert_eq!(applied("u=rwX,go=rX", 0o700, false), "0755");
        assert_eq!(applied("u=rwX,go=rX", 0o600, true), "0755");
        assert_eq!(applied("+x", 0o644, false), "0755");
        assert_eq!(applied("a-w", 0o666, false), "0444");
        assert_eq!(applied("g=u", 0o640, false), "0660");
        assert_eq!(applied("go=", 0o777, false), "0700");
        assert_eq!(applied("u+s,g+s,+t", 0o755, false), "7755");
        assert_eq!(applied("ug=rw,o-rwx", 0o777, false), "0660");
        assert_eq!(applied("u+x-w", 0o600, false), "0500");
        assert_eq!("u=rwX".parse::<Chmod>().unwrap().of_parents(), 0o755);
    }

    #[test]
    fn what_is_no_mode_is_refused() {
        for text in ["64a", "10000", "8", "", "u", "u+q", "z=r", "rwx", "u=rw,,g=r"] {
            assert!(text.parse::<Chmod>().is_err(), "{text}");
        }
        let error = "10000".parse::<Chmod>().unwrap_err();
        assert_eq!(error.to_string(), "--chmod=10000 is no mode: an octal mode is between 0 and 7777");
        assert!(error.is_subject());
    }
}
