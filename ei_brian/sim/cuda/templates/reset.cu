{# USES_VARIABLES { N } #}
{% extends 'common_group.cu' %}
{# The list of spikes has those of each trial at the places of the trial, and -1 where there is none. #}

{% block kernel_maincode %}
    {% set _eventspace = get_array_name(eventspace_variable) %}
    const int _spike = {{_eventspace}}[_idx];
    if (_spike < 0)
    {
        return;
    }
    {{scalar_code|autoindent}}
    _idx = _spike;
    {{vector_code|autoindent}}
{% endblock %}
