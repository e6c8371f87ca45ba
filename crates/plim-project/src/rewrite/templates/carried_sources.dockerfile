{% if carried_sources and carried_packages %}
#~ programs that commands of the previous file call
RUN apt-get update && \
    apt-get install -y --no-install-recommends {{ carried_packages }} && \
    rm -rf /var/lib/apt/lists/*
{% endif %}
{% for line in carried_sources %}
#~ {{ line.why }}
#~<
{{ line.text }}
#~>
{% endfor %}
