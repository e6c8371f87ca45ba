//! Paths of the image, lexically.

/// Cleans an absolute or relative path into an absolute one: no empty, `.` or `..` parts, which stop at the
/// root; no slash at the end.
pub(crate) fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Returns `path` as seen from `base`, clean and absolute.
pub(crate) fn join(base: &str, path: &str) -> String {
    if path.starts_with('/') { clean(path) } else { clean(&format!("{base}/{path}")) }
}

/// Returns a destination as seen from `base`. It ends with a slash where it names a directory for certain:
/// with a slash, `.` or nothing at its end.
pub(crate) fn join_destination(base: &str, path: &str) -> String {
    let mut joined = join(base, path);
    let is_dir = path.is_empty() || path.ends_with('/') || path == "." || path.ends_with("/.");
    if is_dir && !joined.ends_with('/') {
        joined.push('/');
    }
    joined
}

/// The name of Windows in platforms.
pub(crate) const WINDOWS: &str = "windows";

/// Returns a path of Windows in the form that the paths of layers have: without the drive, with slashes.
pub(crate) fn of_windows(path: &str) -> String {
    let bytes = path.as_bytes();
    let has_drive = bytes.len() >= 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':';
    let path = if has_drive { &path[2..] } else { path };
    path.replace('\\', "/")
}

/// Returns a clean path as the configuration of an image for Windows has it.
pub(crate) fn to_windows(path: &str) -> String {
    path.replace('/', "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_the_root() {
        assert_eq!(clean("/a//b/./c/../d/"), "/a/b/d");
        assert_eq!(clean("../../etc"), "/etc");
        assert_eq!(clean(""), "/");
        assert_eq!(join("/app", "src"), "/app/src");
        assert_eq!(join("/app", "../x"), "/x");
        assert_eq!(join("/app", "/x"), "/x");
    }

    #[test]
    fn paths_of_windows_lose_their_drive() {
        assert_eq!(of_windows("C:\\app\\bin"), "/app/bin");
        assert_eq!(of_windows("bin"), "bin");
        assert_eq!(of_windows("c:"), "");
        assert_eq!(to_windows("/app/bin"), "\\app\\bin");
    }

    #[test]
    fn destinations_keep_saying_that_they_are_directories() {
        assert_eq!(join_destination("/app", "."), "/app/");
        assert_eq!(join_destination("/app", ""), "/app/");
        assert_eq!(join_destination("/app", "./"), "/app/");
        assert_eq!(join_destination("/app", "x/."), "/app/x/");
        assert_eq!(join_destination("/app", "x"), "/app/x");
        assert_eq!(join_destination("/app", "/x/"), "/x/");
        assert_eq!(join_destination("/", "."), "/");
    }
}
