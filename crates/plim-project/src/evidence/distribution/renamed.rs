//! Packages of older Debian and Ubuntu releases whose names are no more, and what has come in their place in Debian 13.
//!
//! Names that a package of today still provides (`libglib2.0-0`) are not here: apt finds those by itself.

/// Returns the names in Debian 13; nothing for a name that is still one.
pub(super) fn today(name: &str) -> Option<&'static [&'static str]> {
    if let Some((_, today)) = NAMES.iter().find(|(old, _)| *old == name) {
        return Some(today);
    }
    // names with the number of a version: the beginning, what follows the number, the name without one
    VERSIONED.iter().find_map(|(start, end, today)| {
        let number = name.strip_prefix(start)?.strip_suffix(end)?;
        let is_number = number.starts_with(|c: char| c.is_ascii_digit())
            && number.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-'));
        (is_number && today.iter().all(|today| *today != name)).then_some(*today)
    })
}

const NAMES: &[(&str, &[&str])] = &[
    ("default-mysql-client-core", &["default-mysql-client"]),
    ("libcurl3", &["libcurl4t64"]),
    ("libegl1-mesa", &["libegl1"]),
    ("libffi6", &["libffi8"]),
    ("libffi7", &["libffi8"]),
    ("libgdk-pixbuf2.0-0", &["libgdk-pixbuf-2.0-0"]),
    ("libgl1-mesa-glx", &["libgl1"]),
    ("libgles2-mesa", &["libgles2"]),
    ("libjpeg-turbo8", &["libjpeg62-turbo"]),
    ("libjpeg-turbo8-dev", &["libjpeg62-turbo-dev"]),
    ("libjpeg62", &["libjpeg62-turbo"]),
    ("libjpeg8", &["libjpeg62-turbo"]),
    ("libjpeg8-dev", &["libjpeg62-turbo-dev"]),
    ("libmysqlclient-dev", &["default-libmysqlclient-dev"]),
    ("libncurses5", &["libncurses6"]),
    ("libncursesw5", &["libncursesw6"]),
    ("libpcre3", &["libpcre2-8-0"]),
    ("libpcre3-dev", &["libpcre2-dev"]),
    ("libpng12-0", &["libpng16-16t64"]),
    ("libpng12-dev", &["libpng-dev"]),
    ("libreadline6", &["libreadline8t64"]),
    ("libreadline7", &["libreadline8t64"]),
    ("libssl1.0.0", &["libssl3t64"]),
    ("libssl1.0.2", &["libssl3t64"]),
    ("libssl1.1", &["libssl3t64"]),
    ("libtiff4", &["libtiff6"]),
    ("libtiff5", &["libtiff6"]),
    ("libtiff5-dev", &["libtiff-dev"]),
    ("libtinfo5", &["libtinfo6"]),
    ("libwebp6", &["libwebp7"]),
    ("libzip4", &["libzip5"]),
    ("libzip4t64", &["libzip5"]),
    ("mysql-client", &["default-mysql-client"]),
    ("netcat", &["netcat-openbsd"]),
    // of setuptools since
    ("python3-distutils", &["python3-setuptools"]),
    ("python", &["python3"]),
    ("python-dev", &["python3-dev"]),
    ("python-pip", &["python3-pip"]),
    ("python-setuptools", &["python3-setuptools"]),
    ("ttf-dejavu", &["fonts-dejavu"]),
    ("ttf-dejavu-core", &["fonts-dejavu-core"]),
    ("ttf-liberation", &["fonts-liberation"]),
];

const VERSIONED: &[(&str, &str, &[&str])] = &[
    ("libgdal", "", &["libgdal36"]),
    ("libhdf5-", "", &["libhdf5-310"]),
    ("libicu", "", &["libicu76"]),
    ("libldap-", "", &["libldap2"]),
    ("libmysqlclient", "", &["libmariadb3"]),
    ("libproj", "", &["libproj25"]),
    ("libvpx", "", &["libvpx9"]),
    ("mysql-client-", "", &["default-mysql-client"]),
    ("openjdk-", "-jdk", &["default-jdk"]),
    ("openjdk-", "-jdk-headless", &["default-jdk-headless"]),
    ("openjdk-", "-jre", &["default-jre"]),
    ("openjdk-", "-jre-headless", &["default-jre-headless"]),
    ("postgresql-client-", "", &["postgresql-client"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_names_become_those_of_today() {
        assert_eq!(today("libgl1-mesa-glx"), Some(&["libgl1"][..]));
        assert_eq!(today("libicu67"), Some(&["libicu76"][..]));
        assert_eq!(today("libldap-2.4-2"), Some(&["libldap2"][..]));
        assert_eq!(today("openjdk-11-jre-headless"), Some(&["default-jre-headless"][..]));
        assert_eq!(today("postgresql-client-15"), Some(&["postgresql-client"][..]));
    }

    #[test]
    fn names_of_today_stay() {
        for name in
            ["libicu76", "libicu-dev", "libgdal-dev", "libpq5", "libglib2.0-0", "postgresql-client", "libproj25"]
        {
            assert_eq!(today(name), None, "{name}");
        }
    }
}
