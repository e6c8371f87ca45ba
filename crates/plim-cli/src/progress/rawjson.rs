//! `--progress rawjson`: one JSON object a line in the shape of BuildKit's `SolveStatus`, for programs that read buildx's.
//!
//! A task is a vertex. Its digest names it within this run only.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde::Serialize;

use super::tasks::{Event, Stream, Task, Tasks, View, is_cached};

/// How bad a warning is: BuildKit's own have 1.
const LEVEL: u8 = 1;

/// A line.
#[derive(Debug, Default, Serialize)]
struct Status {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    vertexes: Vec<Vertex>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    statuses: Vec<VertexStatus>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logs: Vec<Log>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Warning>,
}

#[derive(Debug, Serialize)]
struct Vertex {
    digest: String,
    name: String,
    started: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cached: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    error: String,
}

#[derive(Debug, Serialize)]
struct VertexStatus {
    id: String,
    vertex: String,
    total: u64,
    current: u64,
    timestamp: String,
    started: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed: Option<String>,
}

#[derive(Debug, Serialize)]
struct Log {
    vertex: String,
    /// 1 is standard output, 2 standard error.
    stream: u8,
    /// Base64.
    data: String,
    timestamp: String,
}

#[derive(Debug, Serialize)]
struct Warning {
    vertex: String,
    level: u8,
    /// Base64.
    short: String,
}

/// Tells programs.
#[derive(Debug, Default)]
pub(super) struct RawJson {
    /// Things that are no tasks, but take the place of a vertex.
    remarks: u64,
    last_told: std::collections::HashMap<plim_engine::TaskId, Timestamp>,
}

impl RawJson {
    /// A vertex for what belongs to no task: readers leave out what belongs to none.
    fn remark(&mut self, name: &str, now: Timestamp) -> Vertex {
        self.remarks += 1;
        let (digest, time) = (digest(&format!("remark {}", self.remarks), name), time(now));
        Vertex {
            digest,
            name: name.to_owned(),
            started: time.clone(),
            completed: Some(time),
            cached: false,
            error: String::new(),
        }
    }

    fn status(&mut self, event: &Event<'_>, tasks: &Tasks, now: Timestamp) -> Option<Status> {
        let mut status = Status::default();
        match event {
            Event::Start(id) => status.vertexes.push(vertex(tasks.get(*id)?)),
            Event::Advance(id) => {
                let task = tasks.get(*id)?;
                let complete = task.total.is_some_and(|total| task.done >= total);
                // a line for each piece that arrives would be longer than the piece
                let told = self.last_told.get(id);
                if !complete && told.is_some_and(|told| now.duration_since(*told).as_millis() < 100) {
                    return None;
                }
                self.last_told.insert(*id, now);
                status.statuses.push(bytes_of(task, now)?);
            }
            Event::Output { task, stream, line } => status.logs.push(Log {
                vertex: digest_of(tasks.get(*task)?),
                stream: if *stream == Stream::Stdout { 1 } else { 2 },
                data: BASE64_STANDARD.encode(format!("{line}\n")),
                timestamp: time(now),
            }),
            Event::Finish { task: id, detail, failed } => {
                let task = tasks.get(*id)?;
                self.last_told.remove(id);
                status.statuses.extend(bytes_of(task, now));
                status.vertexes.push(Vertex {
                    completed: Some(time(now)),
                    cached: !failed && is_cached(detail),
                    error: if *failed { (*detail).to_owned() } else { String::new() },
                    ..vertex(task)
                });
            }
            Event::Note(text) => status.vertexes.push(self.remark(text, now)),
            Event::Warn(text) => {
                let vertex = self.remark("warning", now);
                status.warnings.push(Warning {
                    vertex: vertex.digest.clone(),
                    level: LEVEL,
                    short: BASE64_STANDARD.encode(text),
                });
                status.vertexes.push(vertex);
            }
            Event::Tick | Event::Pause => return None,
        }
        Some(status)
    }
}

impl View for RawJson {
    fn show(&mut self, event: &Event<'_>, tasks: &Tasks, now: Timestamp) -> String {
        let Some(status) = self.status(event, tasks, now) else { return String::new() };
        // strings and numbers are always JSON
        let mut line = serde_json::to_string(&status).unwrap_or_default();
        line.push('\n');
        line
    }
}

fn vertex(task: &Task) -> Vertex {
    Vertex {
        digest: digest_of(task),
        name: task.title.clone(),
        started: time(task.began),
        completed: None,
        cached: false,
        error: String::new(),
    }
}

fn bytes_of(task: &Task, now: Timestamp) -> Option<VertexStatus> {
    let total = task.total?;
    Some(VertexStatus {
        id: task.title.clone(),
        vertex: digest_of(task),
        total,
        current: task.done,
        timestamp: time(now),
        started: time(task.began),
        completed: (task.done >= total).then(|| time(now)),
    })
}

fn digest_of(task: &Task) -> String {
    digest(&task.number.to_string(), &task.title)
}

fn digest(number: &str, name: &str) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, format!("{number}\0{name}").as_bytes());
    let mut text = "sha256:".to_owned();
    for byte in hash.as_ref() {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

fn time(at: Timestamp) -> String {
    at.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::tasks::story::{Player, build};

    fn lines() -> Vec<serde_json::Value> {
        let mut view = RawJson::default();
        let mut player = Player::new(&mut view);
        build(&mut player);
        player.tell(&Event::Pause);
        player.text.lines().map(|line| serde_json::from_str(line).expect("each line is a document")).collect()
    }

    #[test]
    fn each_line_is_a_solve_status() {
        let text: Vec<String> = lines().iter().map(ToString::to_string).collect();
        let mut settings = insta::Settings::clone_current();
        settings.add_filter(r"sha256:([0-9a-f]{6})[0-9a-f]{58}", "sha256:$1…");
        settings.bind(|| insta::assert_snapshot!(text.join("\n")));
    }

    #[test]
    fn all_that_is_told_of_a_vertex_comes_after_the_vertex() {
        let mut known = std::collections::HashSet::new();
        let mut logs = 0;
        for line in lines() {
            for vertex in line["vertexes"].as_array().into_iter().flatten() {
                known.insert(vertex["digest"].as_str().unwrap().to_owned());
            }
            for part in ["statuses", "logs", "warnings"] {
                for entry in line[part].as_array().into_iter().flatten() {
                    assert!(known.contains(entry["vertex"].as_str().unwrap()), "{entry}");
                }
            }
            for log in line["logs"].as_array().into_iter().flatten() {
                let data = BASE64_STANDARD.decode(log["data"].as_str().unwrap()).unwrap();
                assert!(data.ends_with(b"\n"));
                logs += 1;
            }
        }
        assert_eq!(logs, 3);
    }
}
