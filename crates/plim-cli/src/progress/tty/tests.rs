//! What a person sees, on a virtual terminal of a given size.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::progress::tasks::story::Player;

const MARKS: Marks = Marks { unicode: true, colours: false, printer: None };

/// The terminal knows `\n` as the system's line discipline makes it.
fn on_screen(screen: &mut vt100::Parser, text: &str) {
    screen.process(text.replace('\n', "\r\n").as_bytes());
}

fn screen_of(rows: usize, columns: usize) -> vt100::Parser {
    let size = |value: usize| std::num::NonZeroU16::new(value as u16).unwrap();
    vt100::Parser::new(size(rows), size(columns), 0)
}

fn live(rows: usize, columns: usize) -> Live {
    Live::new(MARKS, Box::new(move || Size { rows, columns }))
}

fn text_of(screen: &vt100::Parser) -> String {
    let text: Vec<String> = screen.screen().contents().lines().map(|line| line.trim_end().to_owned()).collect();
    text.join("\n")
}

/// Two stages at work, drawn several times; stops before they are over.
fn two_stages(player: &mut Player<'_>) -> (plim_engine::TaskId, plim_engine::TaskId) {
    let copy = player.start("[build 1/2] COPY . /src", None);
    player.after(30).finish(copy, "cached", false);
    let make = player.start("[build 2/2] RUN make --jobs 4 --directory /src/a/long/way/down all install", None);
    let fetch = player.start("fetch sha256:0123456789ab", Some(20_000_000));
    for number in 0..9 {
        player.after(100).output(make, &format!("cc -c file{number}.c"));
        player.tell(&Event::Tick);
    }
    player.after(1200).advance(fetch, 5_000_000);
    player.tell(&Event::Tick);
    (make, fetch)
}

#[test]
fn what_runs_is_drawn_over_and_over_in_one_place() {
    let mut screen = screen_of(14, 72);
    let mut view = live(14, 72);
    let mut player = Player::new(&mut view);
    two_stages(&mut player);
    on_screen(&mut screen, &player.text);
    insta::assert_snapshot!(text_of(&screen));
}

#[test]
fn what_is_over_leaves_one_line_each() {
    let mut screen = screen_of(14, 72);
    let mut view = live(14, 72);
    let mut player = Player::new(&mut view);
    let (make, fetch) = two_stages(&mut player);
    player.finish(fetch, "20.0 MB", false);
    player.tell(&Event::Warn("Dockerfile:3: something looks wrong"));
    player.tell(&Event::Tick);
    player.after(300).finish(make, "the command failed with exit code 2", true);
    player.tell(&Event::Tick);
    player.tell(&Event::Pause);
    on_screen(&mut screen, &player.text);
    insta::assert_snapshot!(text_of(&screen));
}

#[test]
fn a_narrow_or_low_window_is_never_overrun() {
    for (rows, columns) in [(14, 20), (14, 8), (3, 72), (2, 30), (1, 1), (5, 200)] {
        // what scrolls away would be lost in the history: a mark above must stay where it is
        let mut screen = screen_of(rows, columns);
        let mut view = live(rows, columns);
        let mut player = Player::new(&mut view);
        let task = player.start("[1/1] RUN echo ⠿ 你好, wide and long enough for more than one row of it", None);
        player.start("copy something", Some(10));
        player.start("copy something else", Some(10));
        for _ in 0..20 {
            player.after(100).output(task, &"wide 你好 ".repeat(40));
            player.tell(&Event::Tick);
        }
        player.tell(&Event::Pause);
        on_screen(&mut screen, &player.text);
        assert_eq!(text_of(&screen).trim(), "", "{rows} x {columns}");
    }
}

#[test]
fn a_window_that_becomes_narrower_is_cleared_all_the_same() {
    let columns = Arc::new(AtomicUsize::new(60));
    let theirs = Arc::clone(&columns);
    let mut view = Live::new(MARKS, Box::new(move || Size { rows: 20, columns: theirs.load(Ordering::Relaxed) }));
    let mut player = Player::new(&mut view);
    player.start("[1/1] RUN something with a long title that fills the line well", None);
    player.tell(&Event::Tick);
    let before = player.text.len();
    columns.store(20, Ordering::Relaxed);
    player.tell(&Event::Tick);
    // two lines, of which the second now takes three rows
    assert!(player.text[before..].starts_with("\u{1b}[4A\r\u{1b}[J"), "{:?}", &player.text[before..]);
}

#[test]
fn a_build_that_needs_no_time_draws_no_region() {
    let mut view = live(10, 60);
    let mut player = Player::new(&mut view);
    for title in ["[1/2] COPY a /", "[2/2] RUN make"] {
        let task = player.start(title, None);
        player.after(1).finish(task, "cached", false);
    }
    player.tell(&Event::Tick);
    player.tell(&Event::Pause);
    assert!(!player.text.contains('\u{1b}'), "{:?}", player.text);
    assert_eq!(player.text.lines().count(), 2);
}

#[test]
fn output_cannot_move_the_cursor() {
    let mut view = live(10, 60);
    let mut player = Player::new(&mut view);
    let task = player.start("[1/1] RUN evil\u{1b}[5A", None);
    player.after(500).output(task, "\u{1b}[2J\u{1b}]0;title\u{7}gone\r\u{8}");
    let before = player.text.len();
    player.tell(&Event::Tick);
    assert!(!player.text[before..].contains('\u{1b}'), "{:?}", player.text);
    assert!(player.text.contains("| gone"), "{:?}", player.text);
}

#[test]
fn a_warning_moves_no_cursor_and_stays_one_thing() {
    let mut screen = screen_of(14, 72);
    let mut view = live(14, 72);
    let mut player = Player::new(&mut view);
    player.start("[1/1] RUN make", None);
    player.tell(&Event::Tick);
    player.tell(&Event::Warn("user `a\u{1b}[2J\u{1b}[3A\n✓ [1/1] RUN make\n` is not in the image"));
    player.tell(&Event::Tick);
    on_screen(&mut screen, &player.text);
    insta::assert_snapshot!(text_of(&screen));
}
