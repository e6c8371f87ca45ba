{% for line in carried_image %}
#~ {{ line.why }}
#~<
{{ line.text }}
#~>
{% endfor %}
