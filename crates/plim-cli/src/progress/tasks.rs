//! What is going on, and the events that change it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Debug;

use jiff::{SignedDuration, Timestamp};
use plim_engine::{CACHED, TaskId};

/// How many lines of a task's output are kept for the live region.
const TAIL: usize = 6;
/// The longest line kept, in bytes: no terminal shows more.
const LONGEST: usize = 2000;

/// Tells the time.
#[derive(Debug)]
pub(super) struct Clock {
    wall: Timestamp,
    began: std::time::Instant,
}

impl Clock {
    /// The time of this machine, which never goes back while the program runs.
    pub(super) fn system() -> Self {
        Self { wall: Timestamp::now(), began: std::time::Instant::now() }
    }

    pub(super) fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.began.elapsed()).unwrap_or_default();
        self.wall.checked_add(passed).unwrap_or(self.wall)
    }
}

/// A stream of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

/// Something that happened. Of a task that finishes the view still finds all in [`Tasks`].
#[derive(Debug)]
pub(super) enum Event<'a> {
    Start(TaskId),
    Advance(TaskId),
    Output {
        task: TaskId,
        stream: Stream,
        line: &'a str,
    },
    Finish {
        task: TaskId,
        detail: &'a str,
        failed: bool,
    },
    Note(&'a str),
    Warn(&'a str),
    /// Some time has passed.
    Tick,
    /// Nothing of it may stand in the way of others on the terminal.
    Pause,
}

/// How progress looks.
pub(super) trait View: Send + Debug {
    /// Returns what is to be written.
    fn show(&mut self, event: &Event<'_>, tasks: &Tasks, now: Timestamp) -> String;

    /// It moves the cursor.
    fn draws(&self) -> bool {
        false
    }
}

/// Something that is being done.
#[derive(Debug)]
pub(super) struct Task {
    /// Its number, from 1, in the order of beginning.
    pub(super) number: u64,
    /// What it is.
    pub(super) title: String,
    /// Its size in bytes.
    pub(super) total: Option<u64>,
    /// Bytes done.
    pub(super) done: u64,
    /// When it began.
    pub(super) began: Timestamp,
    /// The last lines that it wrote.
    pub(super) tail: VecDeque<String>,
}

impl Task {
    /// Says whether it is a step of a Dockerfile.
    pub(super) fn is_step(&self) -> bool {
        self.title.starts_with('[')
    }

    /// Seconds since it began.
    pub(super) fn seconds(&self, now: Timestamp) -> f64 {
        now.duration_since(self.began).as_secs_f64()
    }
}

/// Says whether the result of a task says that nothing had to be done.
pub(super) fn is_cached(detail: &str) -> bool {
    detail.strip_prefix(CACHED).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// All that is being done, and the number of steps that are over.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    running: BTreeMap<TaskId, Task>,
    count: u64,
    /// Steps that are over.
    pub(super) over: usize,
    /// Those of them for which nothing had to be done.
    pub(super) cached: usize,
}

impl Tasks {
    pub(super) fn add(&mut self, title: &str, total: Option<u64>, now: Timestamp) -> TaskId {
        self.count += 1;
        let id = TaskId(self.count);
        let task = Task {
            number: self.count,
            title: title.to_owned(),
            total: total.filter(|total| *total > 0),
            done: 0,
            began: now,
            tail: VecDeque::new(),
        };
        self.running.insert(id, task);
        id
    }

    pub(super) fn get(&self, id: TaskId) -> Option<&Task> {
        self.running.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: TaskId) -> Option<&mut Task> {
        self.running.get_mut(&id)
    }

    /// The tasks that are not over, the oldest first.
    pub(super) fn running(&self) -> impl ExactSizeIterator<Item = &Task> {
        self.running.values()
    }

    pub(super) fn said(&mut self, id: TaskId, line: &str) {
        let Some(task) = self.running.get_mut(&id) else { return };
        if task.tail.len() == TAIL {
            task.tail.pop_front();
        }
        let end = (0..=LONGEST.min(line.len())).rev().find(|end| line.is_char_boundary(*end)).unwrap_or(0);
        task.tail.push_back(line[..end].to_owned());
    }

    pub(super) fn remove(&mut self, id: TaskId, detail: &str) {
        if self.running.remove(&id).is_some_and(|task| task.is_step()) {
            self.over += 1;
            self.cached += usize::from(is_cached(detail));
        }
    }
}

/// A story for the tests of the views.
#[cfg(test)]
pub(super) mod story {
    use super::*;

    /// Plays events to a view, with the time in milliseconds.
    pub(crate) struct Player<'a> {
        view: &'a mut dyn View,
        pub(crate) tasks: Tasks,
        pub(crate) millis: i64,
        pub(crate) text: String,
    }

    impl<'a> Player<'a> {
        pub(crate) fn new(view: &'a mut dyn View) -> Self {
            Self { view, tasks: Tasks::default(), millis: 0, text: String::new() }
        }

        pub(crate) fn tell(&mut self, event: &Event<'_>) {
            let now = Timestamp::from_millisecond(1_800_000_000_000 + self.millis).unwrap();
            self.text.push_str(&self.view.show(event, &self.tasks, now));
        }

        pub(crate) fn start(&mut self, title: &str, total: Option<u64>) -> TaskId {
            let now = Timestamp::from_millisecond(1_800_000_000_000 + self.millis).unwrap();
            let id = self.tasks.add(title, total, now);
            self.tell(&Event::Start(id));
            id
        }

        pub(crate) fn output(&mut self, task: TaskId, line: &str) {
            self.tasks.said(task, line);
            self.tell(&Event::Output { task, stream: Stream::Stdout, line });
        }

        pub(crate) fn error_output(&mut self, task: TaskId, line: &str) {
            self.tasks.said(task, line);
            self.tell(&Event::Output { task, stream: Stream::Stderr, line });
        }

        pub(crate) fn advance(&mut self, task: TaskId, bytes: u64) {
            self.tasks.get_mut(task).unwrap().done += bytes;
            self.tell(&Event::Advance(task));
        }

        pub(crate) fn finish(&mut self, task: TaskId, detail: &str, failed: bool) {
            self.tell(&Event::Finish { task, detail, failed });
            self.tasks.remove(task, detail);
        }

        pub(crate) fn after(&mut self, millis: i64) -> &mut Self {
            self.millis += millis;
            self
        }
    }

    /// A build of two stages at once: a cached step, a download, output of two commands by turns, a failure.
    pub(crate) fn build(player: &mut Player<'_>) {
        let copy = player.start("[build 1/2] COPY . /src", None);
        player.after(3).finish(copy, "cached", false);
        let fetch = player.start("fetch sha256:0123456789ab", Some(20_000_000));
        player.after(500).advance(fetch, 5_000_000);
        let make = player.start("[build 2/2] RUN make", None);
        player.after(40).output(make, "cc -c main.c");
        player.after(11_000).advance(fetch, 5_000_000);
        player.after(10).advance(fetch, 10_000_000);
        player.finish(fetch, "20.0 MB", false);
        let test = player.start("[test 1/1] RUN check", None);
        player.after(200).output(test, "\u{1b}[32mok\u{1b}[0m 1");
        player.after(100).error_output(make, "warning: unused");
        player.tell(&Event::Warn("Dockerfile:3: something looks wrong"));
        player.tell(&Event::Note("a remark"));
        player.after(150).finish(make, "", false);
        player.after(1_000).finish(test, "the command failed with exit code 3", true);
    }

    #[test]
    fn steps_are_counted_and_tasks_are_not() {
        #[derive(Debug)]
        struct Nothing;
        impl View for Nothing {
            fn show(&mut self, _: &Event<'_>, _: &Tasks, _: Timestamp) -> String {
                String::new()
            }
        }
        let mut nothing = Nothing;
        let mut player = Player::new(&mut nothing);
        build(&mut player);
        assert_eq!((player.tasks.over, player.tasks.cached, player.tasks.running().len()), (3, 1, 0));
    }
}
