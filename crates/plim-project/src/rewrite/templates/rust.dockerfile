# syntax=docker/dockerfile:1

{% include "kept_stages" %}
#~ {{ build_base_why }}
FROM {{ build_base }} AS build
{% if packages %}
# tools and headers that the dependencies ask for
#~ {{ packages_why }}
RUN apt-get update && \
    apt-get install -y --no-install-recommends {{ packages }} && \
    rm -rf /var/lib/apt/lists/*
{% endif %}
{% if is_static %}
# the C library becomes a part of the program, which then needs nothing of the image that it runs in
{% endif %}
{% if build_env %}
#~ {{ build_env_why }}
ENV {% for pair in build_env %}{{ pair }}{% if not loop.last %} \
    {%+ endif %}{% endfor %}

{% endif %}
#~ a folder of the build stage only
WORKDIR {{ build_dir }}

# dependencies first: they are compiled again only when one of these files changes
{% for copy in manifests %}
#~ {{ copy.why }}
COPY {{ copy.words }}
{% endfor %}
{% for copy in whole %}
#~ {{ copy.why }}
COPY {{ copy.words }}
{% endfor %}
{% for step in install %}
{% if step.comment %}
# {{ step.comment }}
{% endif %}
#~ {{ step.why }}
RUN {% for cache in step.caches %}--mount=type=cache,target={{ cache }} {% endfor %}{% if step.caches %}\
    {%+ endif %}{{ step.command }}
{% endfor %}

# the program
{% for arg in args %}
#~ {{ arg.why }}
ARG {{ arg.words }}
{% endfor %}
#~ everything that .dockerignore lets through
COPY . .
{% include "carried_sources" %}
{% for step in build %}
{% if step.comment %}
# {{ step.comment }}
{% endif %}
#~ {{ step.why }}
RUN {% for cache in step.caches %}--mount=type=cache,target={{ cache }} {% endfor %}{% if step.caches %}\
    {%+ endif %}{{ step.command }}
{% endfor %}
{% for copy in placed %}
#~ {{ copy.why }}
COPY {{ copy.words }}
{% endfor %}
{% include "carried_build" %}

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
{% if env %}
#~ {{ env_why }}
ENV {% for pair in env %}{{ pair }}{% if not loop.last %} \
    {%+ endif %}{% endfor %}

{% endif %}
#~ the program, at {{ binary }}
COPY --from=build {{ out }} /
{% for copy in artifacts %}
#~ {{ copy.why }}
COPY {{ copy.words }}
{% endfor %}
{% include "carried_image" %}

{% include "ending" %}
