{% for volume in volumes %}
#~ {{ volume.why }}
VOLUME {{ volume.words }}
{% endfor %}
{% if expose %}
#~ {{ expose_why }}
EXPOSE {{ expose }}
{% endif %}
{% if labels %}
#~ {{ labels_why }}
LABEL {% for pair in labels %}{{ pair }}{% if not loop.last %} \
    {%+ endif %}{% endfor %}

{% endif %}
{% if stop_signal %}
#~ {{ stop_signal_why }}
STOPSIGNAL {{ stop_signal }}
{% endif %}
{% if healthcheck %}
#~ {{ healthcheck_why }}
HEALTHCHECK {{ healthcheck }}
{% endif %}
# a number, so that Kubernetes can see that it is not root
#~ {{ user_why }}
USER {{ user }}
#~ {{ start_why }}
ENTRYPOINT {{ entrypoint }}
{% if cmd %}
#~ {{ start_why }}
CMD {{ cmd }}
{% endif %}
