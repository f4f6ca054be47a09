{# Calls a function of the plan on the host. #}
{% macro cu_file() %}
#include "code_objects/{{codeobj_name}}.h"
#include "objects.h"
#include "ei_plan.h"

void _run_{{codeobj_name}}()
{
    {{function}}(0.0);
}
{% endmacro %}

{% macro h_file() %}
#ifndef _INCLUDED_{{codeobj_name}}
#define _INCLUDED_{{codeobj_name}}
void _run_{{codeobj_name}}();
#endif
{% endmacro %}

{% macro before_run_cu_file() %}
// EMPTY_CODE_BLOCK
{% endmacro %}

{% macro before_run_h_file() %}
{% endmacro %}

{% macro after_run_cu_file() %}
// EMPTY_CODE_BLOCK
{% endmacro %}

{% macro after_run_h_file() %}
{% endmacro %}
