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
