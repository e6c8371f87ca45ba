//! Real Dockerfiles.

use std::fs;

use crate::pack;
use crate::properties::check;

/// All that is wrong with them, looked at by hand: two misspelt instructions, and an ADD of a test for that failure.
const BROKEN: [(&str, &str); 3] = [
    ("0101-hub2020.Dockerfile", "there is no instruction `MAINTIANER`"),
    ("0271-recent.Dockerfile", "there is no instruction `INVALID`"),
    ("1140-bktest.Dockerfile", "ADD needs a source and a destination"),
];

fn files() -> Option<Vec<(String, String)>> {
    let archive = pack::shared("lint/dev.tar.zst")?;
    let dir = pack::unpack(&archive, &[""]);
    let mut files = Vec::new();
    let mut dirs = vec![dir.path().to_owned()];
    while let Some(dir) = dirs.pop() {
        for path in pack::entries(&dir) {
            if path.is_dir() {
                dirs.push(path);
            } else {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                files.push((name, String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()));
            }
        }
    }
    files.sort();
    assert!(files.len() >= 1_500, "only {} files in the pack", files.len());
    Some(files)
}

#[test]
fn real_dockerfiles_are_accepted() {
    let Some(files) = files() else { return };
    let mut broken = Vec::new();
    for (name, text) in &files {
        let errors = check(text).errors.into_iter().map(|error| (name.clone(), error.message));
        broken.extend(errors);
    }
    let expected = BROKEN.map(|(name, message)| (name.to_owned(), message.to_owned()));
    assert_eq!(broken, expected);
}

#[test]
fn damaged_dockerfiles_are_read_without_a_panic() {
    let Some(files) = files() else { return };
    // a fixed xorshift, so that a failure comes again
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut pick = |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize % limit.max(1)
    };
    for (_, text) in &files {
        let characters: Vec<char> = text.chars().collect();
        let (from, to) = (pick(characters.len()), pick(characters.len()));
        let cut: String = characters[..from].iter().collect();
        check(&cut);
        let hole = [&characters[..from.min(to)], &characters[from.max(to)..]].concat();
        check(&hole.into_iter().collect::<String>());
        let signs = ['\\', '\n', '"', '\'', '`', '<', '$', '(', '{', '#', '\r', '\u{e9}'];
        let mut noisy = characters;
        for _ in 0..4 {
            let at = pick(noisy.len() + 1);
            noisy.insert(at, signs[pick(signs.len())]);
        }
        check(&noisy.into_iter().collect::<String>());
    }
}
