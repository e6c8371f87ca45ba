//! What a command writes: cut into lines, secrets masked, the last lines kept.

use std::collections::VecDeque;

use bstr::ByteSlice as _;
use plim_oci::{Events, TaskId};
use plim_sandbox::{Secret, Stream};

/// How many lines an error shows.
const TAIL: usize = 20;
/// The longest line passed on in one piece, in bytes: a program that writes no newline must not fill memory.
const LONGEST: usize = 64 * 1024;
/// What stands in place of a secret.
const MASK: &[u8] = b"***";
/// The shortest text that is masked, in bytes: shorter ones occur everywhere by chance.
const SHORTEST_SECRET: usize = 3;

/// Passes on the output of a command.
pub(super) struct Output<'a> {
    events: &'a dyn Events,
    task: TaskId,
    masks: Vec<Secret>,
    open: [Vec<u8>; 2],
    tail: VecDeque<String>,
}

impl<'a> Output<'a> {
    /// Passes output on as that of a task, without what `secrets` hold.
    pub(super) fn new(events: &'a dyn Events, task: TaskId, secrets: &[Secret]) -> Self {
        let mut masks: Vec<Secret> = secrets.iter().flat_map(|secret| texts_of(secret.expose())).collect();
        // the longest first: a shorter secret may be part of a longer one
        masks.sort_by_key(|mask| std::cmp::Reverse(mask.len()));
        Self { events, task, masks, open: [Vec::new(), Vec::new()], tail: VecDeque::new() }
    }

    /// Takes the next bytes of a stream.
    pub(super) fn take(&mut self, stream: Stream, bytes: &[u8]) {
        let at = usize::from(stream == Stream::Stderr);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.open[at].extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.open[at].len() > LONGEST {
                self.close(at);
            }
        }
    }

    /// Passes on what has no newline at its end, and returns the last lines.
    pub(super) fn finish(mut self) -> Vec<String> {
        for at in [0, 1] {
            if !self.open[at].is_empty() {
                self.close(at);
            }
        }
        self.tail.into()
    }

    fn close(&mut self, at: usize) {
        let line = std::mem::take(&mut self.open[at]);
        let line = line.trim_end_with(|c| matches!(c, '\n' | '\r'));
        // a progress bar writes over itself; its last state is what is seen
        let line = line.rsplit(|byte| *byte == b'\r').next().unwrap_or_default();
        let mut line = line.to_vec();
        for mask in &self.masks {
            if line.contains_str(mask.expose()) {
                line = line.replace(mask.expose(), MASK);
            }
        }
        let line = String::from_utf8_lossy(&line).into_owned();
        if at == 0 {
            self.events.output(self.task, &line);
        } else {
            self.events.error_output(self.task, &line);
        }
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
    }
}

/// Returns the texts that would give a secret away: its lines.
fn texts_of(secret: &[u8]) -> Vec<Secret> {
    secret
        .lines()
        .map(<[u8]>::trim)
        .filter(|line| line.len() >= SHORTEST_SECRET)
        .map(|line| Secret::new(line.to_vec()))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use plim_oci::Silent;

    use super::*;

    #[derive(Default)]
    struct Lines(Mutex<Vec<String>>);

    impl Events for Lines {
        fn start(&self, title: &str, total: Option<u64>) -> TaskId {
            Silent.start(title, total)
        }
        fn advance(&self, _task: TaskId, _bytes: u64) {}
        fn output(&self, _task: TaskId, line: &str) {
            self.0.lock().unwrap().push(line.to_owned());
        }
        fn finish(&self, _task: TaskId, _detail: &str, _failed: bool) {}
        fn note(&self, _text: &str) {}
        fn warn(&self, _text: &str) {}
    }

    #[test]
    fn streams_are_cut_into_lines_apart_from_each_other() {
        let lines = Lines::default();
        let mut output = Output::new(&lines, TaskId(0), &[]);
        output.take(Stream::Stdout, b"one\ntw");
        output.take(Stream::Stderr, b"err\r\n");
        output.take(Stream::Stdout, b"o\n 10%\r 99%\rdone\nrest");
        let tail = output.finish();
        assert_eq!(tail, ["one", "err", "two", "done", "rest"]);
        assert_eq!(*lines.0.lock().unwrap(), tail);
    }

    #[test]
    fn secrets_are_masked_line_by_line() {
        let secrets = vec![Secret::new(b"hunter2\n".to_vec()), Secret::new(b"-----BEGIN\nc2VjcmV0\n".to_vec())];
        let mut output = Output::new(&Silent, TaskId(0), &secrets);
        output.take(Stream::Stdout, b"token=hunter2!\nc2VjcmV0 and -----BEGIN\n");
        assert_eq!(output.finish(), ["token=***!", "*** and ***"]);
    }

    #[test]
    fn only_the_last_lines_are_kept_and_endless_lines_are_cut() {
        let mut output = Output::new(&Silent, TaskId(0), &[]);
        for number in 0..100 {
            output.take(Stream::Stdout, format!("{number}\n").as_bytes());
        }
        let tail = output.finish();
        assert_eq!((tail.len(), tail[0].as_str(), tail[19].as_str()), (20, "80", "99"));

        let mut output = Output::new(&Silent, TaskId(0), &[]);
        for _ in 0..3 {
            output.take(Stream::Stdout, &vec![b'x'; LONGEST]);
        }
        assert_eq!(output.finish().len(), 2);
    }
}
