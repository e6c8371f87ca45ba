{% for stage in kept_stages %}
{% if loop.first %}
# stages of the previous file that files are copied from
{% endif %}
#~ {{ stage.why }}
#~<
{{ stage.text }}
#~>

{% endfor %}
