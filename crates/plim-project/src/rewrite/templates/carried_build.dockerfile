{% if carried_build %}

# what the previous file makes beside that
{% endif %}
{% if carried_packages and not carried_sources %}
#~ programs that the following commands call
RUN apt-get update && \
    apt-get install -y --no-install-recommends {{ carried_packages }} && \
    rm -rf /var/lib/apt/lists/*
{% endif %}
{% for line in carried_build %}
#~ {{ line.why }}
#~<
{{ line.text }}
#~>
{% endfor %}
