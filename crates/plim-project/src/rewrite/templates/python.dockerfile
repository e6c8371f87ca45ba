# syntax=docker/dockerfile:1

{% include "kept_stages" %}
#~ {{ build_base_why }}
FROM {{ build_base }} AS build
{% if has_deps %}
#~ pip asks for no newer version of itself and does not mind being root in a build stage
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
{% endif %}
#~ a folder of the build stage only
WORKDIR {{ build_dir }}

{% if manifests %}
# dependencies first: they are installed again only when one of these files changes
{% for copy in manifests %}
#~ {{ copy.why }}
COPY {{ copy.words }}
{% endfor %}
{% endif %}
{% for step in install %}
{% if step.comment %}
# {{ step.comment }}
{% endif %}
#~ {{ step.why }}
RUN {% for cache in step.caches %}--mount=type=cache,target={{ cache }} {% endfor %}{% if step.caches %}\
    {%+ endif %}{{ step.command }}
{% endfor %}
{% if compile_deps %}
# byte code is made now, because the program may not write it later; with hashes in place of time stamps every build
# gives the same bytes. A package may hold files for other versions of Python: those stay sources.
#~ start-up time
RUN python3 -m compileall -q --invalidation-mode unchecked-hash {{ deps }} || true
{% endif %}

{% if artifacts %}
# the program: {{ artifacts_comment }}
{% for copy in artifacts %}
#~ {{ copy.why }}
COPY {{ copy.words }}
{% endfor %}
{% endif %}
{% for copy in build_inputs %}
#~ {{ copy.why }}
COPY {{ copy.words }}
{% endfor %}
{% for step in build %}
{% if step.comment %}
# {{ step.comment }}
{% endif %}
#~ {{ step.why }}
RUN {% for cache in step.caches %}--mount=type=cache,target={{ cache }} {% endfor %}{% if step.caches %}\
    {%+ endif %}{{ step.command }}
{% endfor %}
{% include "carried_build" %}
{% if compile %}
#~ start-up time
RUN python3 -m compileall -q --invalidation-mode unchecked-hash {{ compile }} || true
{% endif %}

{% if programs %}

# the shell that starts the program calls programs of the dependencies and `python`: they run with the interpreter of the image
#~ a shell starts the program
RUN mkdir -p {{ deps }}/bin && ln -sf {{ programs }} {{ deps }}/bin/python && \
    find {{ deps }}/bin -type f -exec sed -i '1s|^#!.*python.*|#!{{ programs }}|' {} +
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

{% if has_deps %}
#~ a site directory of this Python, so that .pth files work
COPY --from=build {{ deps }} {{ site }}
{% endif %}
{% if has_program %}
#~ the program and its byte code
COPY --from=build {{ workdir }} {{ workdir }}
{% endif %}
{% include "carried_image" %}

{% include "ending" %}
