{# USES_VARIABLES { N } #}
{% extends 'common_group.cpp' %}
{# The condition of all neurons first, which vectorises; then the list of those that spike. #}
{% block maincode %}
    const int _vectorisation_idx = -1;
    {{scalar_code|autoindent}}
    {% set _eventspace = get_array_name(eventspace_variable) %}
    static std::vector<char> _conditions((N + 7) / 8 * 8, 0);
    char* __restrict _flag = _conditions.data();
    for(int _idx=0; _idx<(int)N; _idx++)
    {
        const int _vectorisation_idx = _idx;
        {{vector_code|autoindent}}
        _flag[_idx] = _cond;
    }
    int32_t _count = ei::listed(_flag, (int)N, {{_eventspace}});
    {{_eventspace}}[N] = _count;
{% endblock %}

{% block after_code %}
{% set _eventspace = get_array_name(eventspace_variable) %}
{{_eventspace}}[N] = 0;
{% endblock %}
