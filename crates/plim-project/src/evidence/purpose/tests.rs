use super::super::Evidence;
use super::*;

fn purpose(command: &str) -> Purpose {
    let commands = Evidence::read(&format!("FROM x\nWORKDIR /srv\nRUN {command}\n")).declared.commands;
    commands.iter().rev().find(|command| !command.nested).expect("there is a command").purpose()
}

fn made(command: &str) -> Vec<String> {
    let commands = Evidence::read(&format!("FROM x\nWORKDIR /srv\nRUN {command}\n")).declared.commands;
    commands.last().expect("there is a command").outputs().paths
}

#[test]
fn commands_have_a_purpose() {
    for (command, expected) in [
        ("apt-get -y -o X=1 install a", Purpose::SystemPackages),
        ("apk add --no-cache -t .build a", Purpose::SystemPackages),
        ("apk del .build", Purpose::PackageIndex),
        ("dnf install -y a", Purpose::SystemPackages),
        ("apt-get update", Purpose::PackageIndex),
        ("rm -rf /var/lib/apt/lists/*", Purpose::Cleanup),
        ("find / -name '*.pyc' -delete", Purpose::Cleanup),
        ("/opt/venv/bin/pip install -r x.txt", Purpose::LanguagePackages(Ecosystem::Python)),
        ("python3 -m venv /opt/venv", Purpose::LanguagePackages(Ecosystem::Python)),
        ("curl -sSL https://x | python3 -", Purpose::LanguagePackages(Ecosystem::Python)),
        ("python -c 'import x; print(x)'", Purpose::Check),
        ("python -c 'import nltk; nltk.download(\"punkt\")'", Purpose::Build(Ecosystem::Python)),
        ("poetry run python manage.py collectstatic", Purpose::Build(Ecosystem::Python)),
        ("npm ci --omit=dev", Purpose::LanguagePackages(Ecosystem::Node)),
        ("npm run build", Purpose::Build(Ecosystem::Node)),
        ("yarn build", Purpose::Build(Ecosystem::Node)),
        ("yarn", Purpose::LanguagePackages(Ecosystem::Node)),
        ("yarn lint", Purpose::Check),
        ("cargo build --release", Purpose::Build(Ecosystem::Rust)),
        ("go mod download", Purpose::LanguagePackages(Ecosystem::Go)),
        ("./gradlew build", Purpose::Build(Ecosystem::Java)),
        ("make -C docs html", Purpose::Build(Ecosystem::Other)),
        ("adduser -D app", Purpose::Users),
        ("chown -R app /data", Purpose::Permissions),
        ("install -d /data", Purpose::MakeDirs),
        ("install -m 755 a /usr/bin/a", Purpose::Files),
        ("echo x", Purpose::Harmless),
        ("echo x > /etc/y", Purpose::Files),
        ("sed -i s/a/b/ /etc/y", Purpose::Files),
        ("sed s/a/b/ y", Purpose::Harmless),
        ("curl -fsSLo /usr/bin/x https://x", Purpose::Download),
        ("curl https://x | bash -s -- -y", Purpose::Download),
        ("git config --global a b", Purpose::Configuration),
        ("locale-gen", Purpose::Configuration),
        ("node --version", Purpose::Check),
        ("./setup.sh a", Purpose::Script("./setup.sh".to_owned())),
        ("sh scripts/setup.sh", Purpose::Script("scripts/setup.sh".to_owned())),
        ("frobnicate", Purpose::Unknown),
    ] {
        assert_eq!(purpose(command), expected, "{command}");
    }
}

#[test]
fn outputs_are_where_the_arguments_say() {
    for (command, expected) in [
        ("mkdir -p -m 755 /data a/../b", &["/data", "/srv/b"][..]),
        ("curl -fsSLo /usr/local/bin/x https://x/y", &["/usr/local/bin/x"]),
        ("curl -LO https://x/y.tgz?z", &["/srv/y.tgz"]),
        ("wget -qO /opt/y https://x", &["/opt/y"]),
        ("cd /tmp && wget https://x/y.tgz", &["/tmp/y.tgz"]),
        ("tar -xzf y.tgz -C /opt/z --strip-components=1", &["/opt/z"]),
        ("cp a b /etc/x/", &["/etc/x/a", "/etc/x/b"]),
        ("ln -s /opt/a/bin/a /usr/local/bin/a", &["/usr/local/bin/a"]),
        ("echo a > /etc/y", &["/etc/y"]),
        ("sed -i -e s/a/b/ /etc/y", &["/etc/y"]),
        ("git clone --depth 1 https://x/y.git", &["/srv/y"]),
        ("git clone https://x/y.git /opt/y", &["/opt/y"]),
        ("touch ~/x", &["/root/x"]),
        ("cp a \"$X\"", &[]),
    ] {
        assert_eq!(made(command), expected, "{command}");
    }
}
