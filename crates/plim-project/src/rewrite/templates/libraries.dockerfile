{% if libraries %}
# Debian packages that the program needs, for an image without a package manager: those that the base lacks are unpacked,
# and their records are kept where scanners look for them
#~ {{ libraries_why }}
FROM docker.io/library/debian:trixie-slim AS libraries
#~ what the base has already
COPY --from={{ libraries_base }} /var/lib/dpkg/status.d /have
#~ apt chooses what is missing; what serves the packages' scripts alone counts as there, because no script runs
RUN mkdir -p /debs/partial /libraries/var/lib/dpkg/status.d && \
    find /have -type f ! -name '*.md5sums' -exec sed -E '/^(Pre-)?Depends:/d; /^$/d' {} \; \
        -exec printf 'Status: install ok installed\n\n' \; > /status && \
    for name in debconf debianutils dpkg install-info perl-base sensible-utils tar ucf; do \
        printf 'Package: %s\nVersion: 9:9\nArchitecture: all\nMulti-Arch: foreign\nProvides: debconf-2.0\nMaintainer: none\nDescription: none\nStatus: install ok installed\n\n' "$name"; \
    done >> /status && \
    apt-get update && \
    apt-get install -y --no-install-recommends --download-only -o Dir::State::status=/status -o Dir::Cache::archives=/debs {{ libraries }} && \
    for deb in /debs/*.deb; do \
        dpkg-deb --extract "$deb" /libraries && \
        dpkg-deb --field "$deb" > "/libraries/var/lib/dpkg/status.d/$(dpkg-deb --field "$deb" Package)"; \
    done && \
    rm -rf /libraries/usr/share/man /libraries/usr/share/info /libraries/usr/share/locale /libraries/usr/share/lintian && \
    find /libraries/usr/share/doc -type f ! -name copyright -delete
{% endif %}

