# syntax=docker/dockerfile:1

{% include "kept_stages" %}
#~ {{ build_base_why }}
FROM {{ build_base }} AS dependencies
{% if openssl %}
#~ {{ openssl }}
RUN apt-get update && \
    apt-get install -y --no-install-recommends openssl && \
    rm -rf /var/lib/apt/lists/*
{% endif %}
{% if install_env %}
#~ settings of the package manager, for the build stages only
ENV {{ install_env | join(" ") }}
{% endif %}
#~ {{ workdir_why }}
WORKDIR {{ workdir }}

# dependencies first: they are installed again only when one of these files changes
{% for copy in manifests %}
#~ {{ copy.why }}
COPY {{ copy.words }}
{% endfor %}
{% for step in install if installs %}
{% if step.comment %}
# {{ step.comment }}
{% endif %}
#~ {{ step.why }}
RUN {% for cache in step.caches %}--mount=type=cache,target={{ cache }} {% endfor %}{% for secret in secrets %}--mount=type=secret,id={{ secret.id }},target={{ secret.target }} {% endfor %}{% if step.caches %}\
    {%+ endif %}{{ step.command }}
{% endfor %}
{% if builds %}

{% if build %}
# the program is built with the packages that only development needs
{% endif %}
#~ {{ stage_why }}
FROM dependencies AS build
{% if public %}
#~ values that the build writes into the front end
ENV {{ public | join(" ") }}
{% endif %}
{% for copy in inputs %}
#~ {{ copy.why }}
COPY {{ copy.words }}
{% endfor %}
{% include "carried_sources" %}
{% for step in build %}
{% if step.comment %}
# {{ step.comment }}
{% endif %}
#~ {{ step.why }}
RUN {% for cache in step.caches %}--mount=type=cache,target={{ cache }} {% endfor %}{% if step.caches %}\
    {%+ endif %}{{ step.command }}
{% endfor %}
{% include "carried_build" %}
{% if everything %}
# the packages come from another stage
#~ only what the build made and the project's own files
RUN rm -rf node_modules
{% endif %}
{% endif %}
{% if prune %}

{% if builds %}
# the packages that the program runs with; made anew only when the dependencies change
#~ not a later step of the build, which every change of the sources would repeat
FROM dependencies AS production
{% endif %}
{% for step in prune %}
{% if step.comment %}
# {{ step.comment }}
{% endif %}
#~ {{ step.why }}
RUN {% for cache in step.caches %}--mount=type=cache,target={{ cache }} {% endfor %}{% if step.caches %}\
    {%+ endif %}{{ step.command }}
{% endfor %}
{% endif %}
{% if writable %}
# the program writes there
#~ {% for folder in writable %}{{ folder.why }}{% if not loop.last %}, {% endif %}{% endfor %}

RUN mkdir -p{% for folder in writable %} {{ folder.path }}{% endfor %}

{% endif %}

{% include "libraries" %}
# {{ runtime_comment }}
#~ {{ runtime_base_why }}
FROM {{ runtime_base }}
{% if libraries %}
#~ {{ libraries_why }}
COPY --from=libraries /libraries /
{% endif %}
{% if system %}
#~ {{ system_why }}
RUN apt-get update && \
    apt-get install -y --no-install-recommends {{ system }} && \
    rm -rf /var/lib/apt/lists/*
{% endif %}
#~ {{ workdir_why }}
WORKDIR {{ workdir }}
#~ {{ env_why }}
ENV {% for pair in env %}{{ pair }}{% if not loop.last %} \
    {%+ endif %}{% endfor %}

{% for folder in globals %}
#~ the author installs it for the whole system
COPY --from=dependencies {{ folder }} {{ folder }}
{% endfor %}
{% if everything %}
#~ what the build leaves
COPY --from=build {{ readable }}{{ workdir }} ./
{% endif %}
{% if has_manifest %}
#~ node reads in it how modules are written
COPY --from={{ packages_stage }} {{ readable }}{{ workdir }}/package.json ./
{% endif %}
{% if has_packages %}
#~ the packages that the program runs with
COPY --from={{ packages_stage }} {{ workdir }}/node_modules ./node_modules
{% endif %}
{% for copy in artifacts if not everything %}
#~ {{ copy.why }}
COPY {% if builds %}--from=build {% endif %}{{ readable }}{{ copy.words }}
{% endfor %}
{% include "carried_image" %}
{% for folder in writable %}
#~ {{ folder.why }}
COPY --from={{ writable_stage }} --chown={{ writable_owner }} {{ folder.path }} {{ folder.path }}
{% endfor %}

{% include "ending" %}
