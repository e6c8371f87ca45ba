use super::*;

const DOCKERFILE: &str = r#"ARG VERSION=3.12
FROM python:${VERSION}-slim AS base
ENV PIP_NO_CACHE_DIR=1
ENV PORT=9000 MODE=prod
FROM node AS frontend
RUN npm run build
FROM base
WORKDIR /srv
RUN apt-get update && apt-get install -y --no-install-recommends libmagic1 gcc && rm -rf /var/lib/apt/lists/*
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt "gunicorn==23.0" && python manage.py collectstatic --noinput
COPY --from=frontend /dist ./static
COPY . .
RUN ./fetch-model.sh
EXPOSE $PORT
USER app
STOPSIGNAL SIGINT
CMD gunicorn shop.wsgi -b :$PORT
"#;

#[test]
fn the_stages_of_the_image_are_heard_in_order() {
    let Evidence { declared, .. } = Evidence::read(DOCKERFILE);
    assert_eq!(declared.base.unwrap().value, "python:3.12-slim");
    assert_eq!(declared.workdir.unwrap().value, "/srv");
    let env: Vec<_> = declared.env.into_iter().map(|told| told.value.0).collect();
    assert_eq!(env, ["PORT", "MODE"]);
    assert_eq!(declared.exposed[0].value, "9000");
    assert_eq!(declared.stop_signal.unwrap().value, "SIGINT");
    assert_eq!(declared.requirements[0].value, "requirements.txt");
    assert_eq!(declared.python_packages[0].value, "gunicorn==23.0");
    let packages: Vec<_> = declared.packages.iter().map(|package| (package.name.as_str(), package.for_build)).collect();
    assert_eq!(packages, [("libmagic1", false), ("gcc", true)]);
}

#[test]
fn every_instruction_says_what_became_of_it() {
    let facts = Evidence::read(DOCKERFILE).facts;
    let shown: Vec<String> = facts
        .iter()
        .map(|fact| {
            let kept = match &fact.kept {
                Kept::Kept => "kept".to_owned(),
                Kept::Dropped(reason) => format!("dropped: {reason}"),
                Kept::Unknown => "look at it".to_owned(),
            };
            format!("{:>2} {} -> {kept}", fact.line, fact.what.split(' ').next().unwrap_or_default())
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r"
     1 ARG -> dropped: its default is used where it was
     2 FROM -> dropped: the stages are new
     3 ENV -> dropped: it concerns the build or the old image only
     4 ENV -> kept
     7 FROM -> dropped: the stages are new
     8 WORKDIR -> kept
     9 RUN -> dropped: the base image is current
     9 RUN -> dropped: system packages are kept as far as the program needs them
     9 RUN -> dropped: nothing is left to clean up
    10 COPY -> dropped: replaced by the copies of the new stages
    11 RUN -> dropped: dependencies are installed from the manifests
    11 RUN -> look at it
    12 COPY -> look at it
    13 COPY -> dropped: replaced by the copies of the new stages
    14 RUN -> look at it
    15 EXPOSE -> kept
    16 USER -> dropped: the image names its user by number
    17 STOPSIGNAL -> kept
    18 CMD -> kept
    ");
}

#[test]
fn copies_say_where_things_go() {
    let declared = Evidence::read("FROM python\nWORKDIR /code\nCOPY ./src /code/\nCOPY a.ini b.ini conf/\n").declared;
    let pairs: Vec<_> =
        declared.copies.iter().map(|told| (told.value.source.as_str(), told.value.dest.as_str())).collect();
    assert_eq!(pairs, [("src", "/code/"), ("a.ini", "/code/conf/"), ("b.ini", "/code/conf/")]);
    assert!(!declared.copies_everything);
    assert!(Evidence::read("FROM python\nCOPY requirements.txt .\nCOPY . .\n").declared.copies_everything);
}

#[test]
fn an_entrypoint_clears_the_command_that_it_inherits() {
    let declared = Evidence::read("FROM python AS a\nCMD [\"x\"]\nFROM a\nENTRYPOINT [\"y\"]\n").declared;
    assert!(declared.cmd.is_none());
    assert!(Evidence::read("FROM python\nCMD [\"x\"]\nENTRYPOINT [\"y\"]\n").declared.cmd.is_some());
}

#[test]
fn a_file_without_stages_tells_nothing() {
    assert_eq!(Evidence::read("RUN true\n"), Evidence::default());
    assert_eq!(Evidence::read(""), Evidence::default());
}

#[test]
fn a_port_that_the_platform_chooses_is_noticed() {
    let asks = |text: &str| Evidence::read(&format!("FROM python\n{text}\n")).declared.asks_for_port();
    assert!(asks("CMD exec gunicorn --bind :$PORT main:app"));
    assert!(asks("CMD [\"sh\", \"-c\", \"uvicorn main:app --port ${PORT}\"]"));
    assert!(!asks("ENV PORT=80\nCMD exec gunicorn --bind :$PORT main:app"));
    assert!(!asks("CMD exec gunicorn --bind :${PORT:-8080} main:app"));
}
