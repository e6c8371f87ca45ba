//! Writes a filter in the kernel's classic BPF.
//!
//! The crate `seccompiler` kills every program of another table, such as 32-bit ones, and knows two outcomes of one
//! filter; this needs four. See seccomp(2) and Documentation/userspace-api/seccomp_filter.rst of the kernel.

use libc::{
    BPF_ABS, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, SECCOMP_RET_ALLOW,
    SECCOMP_RET_ERRNO, sock_filter,
};

/// Names this machine's own table of calls (AUDIT_ARCH_*).
#[cfg(target_arch = "x86_64")]
pub(super) const ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
pub(super) const ARCH: u32 = 0xc000_00b7;

/// Names the table of i386, which x86-64 kernels have too. No other machine calls by it.
pub(super) const ARCH_COMPATIBLE: u32 = 0x4000_0003;

/// Offsets in `struct seccomp_data`; of the first argument the low half, which is all that the kernel looks at where
/// this filter does. Both machines are little-endian.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const FIRST_ARGUMENT: u32 = 16;

/// A whole filter.
pub(super) struct Filter {
    pub(super) native: Table,
    pub(super) compatible: Table,
}

/// What happens to the calls of one architecture: the first rule about a number decides.
pub(super) struct Table {
    rules: Vec<sock_filter>,
    otherwise: u32,
}

impl Filter {
    /// The instructions.
    pub(super) fn program(self) -> Vec<sock_filter> {
        let mut compatible = Vec::new();
        if cfg!(target_arch = "x86_64") {
            let table = self.compatible.finish();
            compatible.push(jump(BPF_JEQ, ARCH_COMPATIBLE, 1, 0));
            compatible.push(answer(errno(libc::ENOSYS)));
            compatible.extend(table);
        } else {
            compatible.push(answer(errno(libc::ENOSYS)));
        }
        let mut program = vec![load(ARCHITECTURE), jump(BPF_JEQ, ARCH, 0, 1)];
        program.push(statement(BPF_JMP | BPF_JA, compatible.len() as u32));
        program.extend(compatible);
        program.extend(self.native.finish());
        program
    }
}

impl Table {
    /// A table that refuses what no rule names.
    pub(super) fn refusing(number: i32) -> Self {
        Self { rules: vec![load(NUMBER)], otherwise: errno(number) }
    }

    /// A table that allows what no rule names.
    pub(super) fn allowing() -> Self {
        Self { rules: vec![load(NUMBER)], otherwise: SECCOMP_RET_ALLOW }
    }

    /// Calls that are carried out.
    pub(super) fn allow(&mut self, calls: &[u32]) {
        for call in calls {
            self.rule(*call, &[answer(SECCOMP_RET_ALLOW)]);
        }
    }

    /// Calls that are not permitted.
    pub(super) fn refuse(&mut self, calls: &[u32]) {
        for call in calls {
            self.rule(*call, &[answer(errno(libc::EPERM))]);
        }
    }

    /// Calls that succeed without doing anything.
    pub(super) fn pretend(&mut self, calls: &[u32]) {
        for call in calls {
            self.rule(*call, &[answer(errno(0))]);
        }
    }

    /// A call that is carried out unless its first argument has one of these bits.
    pub(super) fn refuse_if_flags(&mut self, call: u32, flags: u32, number: i32) {
        self.rule(
            call,
            &[load(FIRST_ARGUMENT), jump(BPF_JSET, flags, 0, 1), answer(errno(number)), answer(SECCOMP_RET_ALLOW)],
        );
    }

    /// A call that is carried out if its first argument is one of these, and not permitted otherwise.
    pub(super) fn allow_values(&mut self, call: u32, values: &[u32]) {
        let mut body = vec![load(FIRST_ARGUMENT)];
        for value in values {
            body.extend([jump(BPF_JEQ, *value, 0, 1), answer(SECCOMP_RET_ALLOW)]);
        }
        body.push(answer(errno(libc::EPERM)));
        self.rule(call, &body);
    }

    /// A call that is carried out unless its first argument is one of these.
    pub(super) fn refuse_values(&mut self, call: u32, values: &[(u32, i32)]) {
        let mut body = vec![load(FIRST_ARGUMENT)];
        for (value, number) in values {
            body.extend([jump(BPF_JEQ, *value, 0, 1), answer(errno(*number))]);
        }
        body.push(answer(SECCOMP_RET_ALLOW));
        self.rule(call, &body);
    }

    /// All other calls from this number on do not exist; those of the x32 table, which has a high bit, neither.
    pub(super) fn unknown_from(&mut self, number: u32) {
        self.rules.extend([jump(BPF_JGE, number, 0, 1), answer(errno(libc::ENOSYS))]);
    }

    fn rule(&mut self, call: u32, body: &[sock_filter]) {
        self.rules.push(jump(BPF_JEQ, call, 0, body.len() as u8));
        self.rules.extend_from_slice(body);
    }

    fn finish(mut self) -> Vec<sock_filter> {
        self.rules.push(answer(self.otherwise));
        self.rules
    }
}

fn errno(number: i32) -> u32 {
    SECCOMP_RET_ERRNO | number as u32
}

fn statement(code: u32, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

fn load(offset: u32) -> sock_filter {
    statement(BPF_LD | BPF_W | BPF_ABS, offset)
}

fn answer(action: u32) -> sock_filter {
    statement(BPF_RET | BPF_K, action)
}

fn jump(condition: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: (BPF_JMP | condition | BPF_K) as u16, jt, jf, k }
}

/// Does what the kernel does with a filter.
#[cfg(test)]
pub(super) fn run(program: &[sock_filter], arch: u32, call: u32, argument: u64) -> u32 {
    let (mut at, mut value) = (0, 0);
    loop {
        let instruction = program[at];
        let code = u32::from(instruction.code);
        at += 1;
        let holds = match code {
            code if code == BPF_LD | BPF_W | BPF_ABS => {
                value = match instruction.k {
                    NUMBER => call,
                    ARCHITECTURE => arch,
                    FIRST_ARGUMENT => argument as u32,
                    other => panic!("load from {other}"),
                };
                continue;
            }
            code if code == BPF_RET | BPF_K => return instruction.k,
            code if code == BPF_JMP | BPF_JA => {
                at += instruction.k as usize;
                continue;
            }
            code if code == BPF_JMP | BPF_JEQ | BPF_K => value == instruction.k,
            code if code == BPF_JMP | BPF_JGE | BPF_K => value >= instruction.k,
            code if code == BPF_JMP | BPF_JSET | BPF_K => value & instruction.k != 0,
            other => panic!("instruction {other}"),
        };
        at += usize::from(if holds { instruction.jt } else { instruction.jf });
    }
}
