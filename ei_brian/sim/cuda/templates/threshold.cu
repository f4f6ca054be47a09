{# USES_VARIABLES { N } #}
{% extends 'common_group.cu' %}
{# A block finds the spikes of one trial and lists them in ascending order: where sums must be formed in the order of the reference. #}

{% block extra_headers %}
#include "ei_plan.h"
{% endblock %}

{% block kernel %}
__global__ void _run_kernel_{{codeobj_name}}(
    int _N,
    int THREADS_PER_BLOCK,
    ei::SpikeOutput _spikes,
    ///// KERNEL_PARAMETERS /////
    %KERNEL_PARAMETERS%
    )
{
    using namespace brian;

    ///// KERNEL_CONSTANTS /////
    %KERNEL_CONSTANTS%

    ///// kernel_lines /////
    {{kernel_lines|autoindent}}

    ei::find_spikes(_spikes, [&](int _idx)
    {
        const int _vectorisation_idx = _idx;
        {{scalar_code|autoindent}}
        {{vector_code|autoindent}}
        return bool(_cond);
    });
}
{% endblock kernel %}

{% block modify_kernel_dimensions %}
        num_threads = ei::threads_for(ei_spikes_{{owner.name}}().size);
        num_blocks = _N / ei_spikes_{{owner.name}}().size;
{% endblock %}

{% block extra_host_parameters %}
            ei_spikes_{{owner.name}}(),
{% endblock %}
