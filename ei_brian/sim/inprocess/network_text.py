"""A whole network in C++: one trial after the other, in the order of its schedule, without noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ei_brian.core.competition import MARGIN, WINNER
from ei_brian.core.program import Program, size_name
from ei_brian.core.projection import Projection
from ei_brian.core.spec import NetworkSpec
from ei_brian.sim.inprocess.cpp_text import PREAMBLE, assigned, condition, names_in, statements

__all__ = ["Traced", "network_source"]

Traced = tuple[tuple[str, str], ...]
HEAD = """
struct Table { long delay, dense; const long* first; const int* target; const float* weight; };
struct Given { const long* first; const int* unit; const float* size; };

static inline void add_row(float* to, const Table& t, const long source, const float size, const long n_target)
{
    if (t.dense)
    {
        const float* row = t.weight + source*n_target;
        #pragma GCC ivdep
        for (long c = 0; c < n_target; c++) to[c] = to[c] + size*row[c];
    }
    else
        for (long k = t.first[source]; k < t.first[source + 1]; k++)
            to[t.target[k]] = to[t.target[k]] + size*t.weight[k];
}
"""
FRAME = """{preamble}{head}
extern "C" void run(
    const long n_trials_, const long n_steps_, const float** constant_, const float** start_, float** state_,
    const Given* given_, const Table** table_, int** list_, long** bound_, float** size_, unsigned char** raster_, float** trace_,
    float** final_)
{{
    for (long trial_ = 0; trial_ < n_trials_; trial_++)
    {{
{begin}
        for (long step_ = 0; step_ < n_steps_; step_++)
        {{
{step}
        }}
{end}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the numbers of a population lie: number of its first state and constant, and of the population among the spiking."""

    index: int
    size: int
    program: Program
    first_state: int
    first_constant: int
    spiking: bool

    def state(self, name: str) -> str:
        return f"state_[{self.first_state + sorted(self.program.states).index(name)}]"

    def loop(self, body: str, texts: tuple[str, ...], changed: set[str], guard: str = "") -> str:
        """Return a loop over all cells with the states and constants that some texts name."""
        used, inside = names_in(*texts), " " * 16
        lines = [f"{inside}const float {n} = constant_[{self.first_constant + i}][c_];"
                 for i, n in enumerate(sorted(self.program.constants)) if n in used]  # fmt: skip
        lines += [f"{inside}float {n} = {self.state(n)}[c_];" for n in sorted(self.program.states) if n in used]
        saved = [f"{inside}{self.state(n)}[c_] = {n};" for n in sorted(self.program.states) if n in changed]
        inner = "\n".join([*lines, body, *saved])
        head = f"            #pragma GCC ivdep\n            for (long c_ = 0; c_ < {self.size}L; c_++)"
        return f"{head}{f' if ({guard})' if guard else ''}\n            {{\n{inner}\n            }}"


def network_source(spec: NetworkSpec, programs: Mapping[str, Program], traces: Traced) -> str:
    """Return the C++ program of a network; numbers of cells and delays are in it, weights and parameters are not."""
    places = _places(spec, programs)
    lagging = _lagging(spec)
    step = [_phase(spec, places, phase.kind, phase.target, lagging) for phase in spec.schedule]
    for name, program in programs.items():
        if program.score_update:
            text = program.score_update
            step.append(places[name].loop(statements(text, _known(program), " " * 16), (text,), assigned(text)))
    step += [_kept(places[name], state, number) for number, (name, state) in enumerate(traces)]
    begin = [
        f"        for (long c_ = 0; c_ < {p.size}L; c_++) {p.state(n)}[c_] = start_[{p.first_state + i}][c_];"
        for p in places.values() for i, n in enumerate(sorted(p.program.states))
    ]  # fmt: skip
    begin += [f"        bound_[{p.index}][0] = 0;" for p in places.values() if p.spiking]
    end = [
        f"        for (long c_ = 0; c_ < {p.size}L; c_++) final_[{p.first_state + i}][trial_*{p.size}L + c_] = {p.state(n)}[c_];"
        for p in places.values() for i, n in enumerate(sorted(p.program.states)) if spec.readout and p.program.population ==
        spec.readout.population
    ]  # fmt: skip
    return FRAME.format(preamble=PREAMBLE, head=HEAD, begin="\n".join(begin), step="\n".join(step), end="\n".join(end))


def _places(spec: NetworkSpec, programs: Mapping[str, Program]) -> dict[str, _Place]:
    places, state, constant = {}, 0, 0
    for index, (name, program) in enumerate(programs.items()):
        places[name] = _Place(index, program.size, program, state, constant, spec[name].spiking)
        state, constant = state + len(program.states), constant + len(program.constants)
    return places


def _known(program: Program) -> set[str]:
    return {*program.constants, *program.states}


def _lagging(spec: NetworkSpec) -> set[str]:
    """Return the projections that act before their source's threshold of a step, and so on the spikes of the step before."""
    order = {(phase.kind, phase.target): number for number, phase in enumerate(spec.schedule)}
    return {
        p.name for p in spec.projections
        if spec[p.source].role != "input" and order["propagate", p.name] < order["threshold", p.source]
    }  # fmt: skip


def _phase(spec: NetworkSpec, places: Mapping[str, _Place], kind: str, target: str, lagging: set[str]) -> str:
    if kind == "propagate":
        return _propagate(spec, places, spec.projection(target), target in lagging)
    place = places[target]
    program = place.program
    if kind == "update":
        return place.loop(statements(program.update, _known(program), " " * 16), (program.update,), assigned(program.update))
    if kind == "threshold":
        return _threshold(spec, place)
    if not program.reset:
        return ""
    body = statements(program.reset, _known(program), " " * 16)
    return place.loop(body, (program.reset,), assigned(program.reset), _spiked(place))


def _spiked(place: _Place) -> str:
    return f"raster_[{place.index}][(trial_*n_steps_ + step_)*{place.size}L + c_]"


def _threshold(spec: NetworkSpec, place: _Place) -> str:
    program, index, lines = place.program, place.index, []
    if program.competes:
        lines.append(
            f"            {{ long best_ = 0; float* m_ = {place.state(MARGIN)}; float* w_ = {place.state(WINNER)};\n"
            f"              for (long c_ = 1; c_ < {place.size}L; c_++) if (m_[c_] > m_[best_]) best_ = c_;\n"
            f"              for (long c_ = 0; c_ < {place.size}L; c_++) w_[c_] = c_ == best_ ? 1.0f : 0.0f; }}"
        )
    body = f"                {_spiked(place)} = {condition(program.threshold)};"
    lines.append(place.loop(body, (program.threshold,), set()))
    if program.at_spike:
        body = statements(program.at_spike, _known(program), " " * 16)
        lines.append(place.loop(body, (program.at_spike,), assigned(program.at_spike), _spiked(place)))
    lines.append(
        f"            {{ long n_ = bound_[{index}][step_]; const unsigned char* now_ = &raster_[{index}]"
        f"[(trial_*n_steps_ + step_)*{place.size}L];\n"
        f"              for (long c_ = 0; c_ < {place.size}L; c_++) if (now_[c_]) list_[{index}][n_++] = (int)c_;\n"
        f"              bound_[{index}][step_ + 1] = n_; }}"
    )
    for number, projection in enumerate(spec.projections):
        name = size_name(spec, projection)
        if name and projection.source == program.population:
            lines.append(
                f"            for (long k_ = bound_[{index}][step_]; k_ < bound_[{index}][step_ + 1]; k_++)\n"
                f"                size_[{number}][k_] = {place.state(name)}[list_[{index}][k_]];"
            )
    return "\n".join(lines)


def _propagate(spec: NetworkSpec, places: Mapping[str, _Place], projection: Projection, lags: bool) -> str:
    number = [p.name for p in spec.projections].index(projection.name)
    to = places[projection.target]
    inside, to_port = " " * 16, to.state(projection.port)
    lines = [
        f"            for (long t_ = 0; table_[{number}][t_].delay >= 0; t_++)\n            {{",
        f"{inside}const Table& table_now = table_[{number}][t_];",
        f"{inside}const long then_ = step_ - table_now.delay{' - 1' if lags else ''};\n{inside}if (then_ < 0) continue;",
    ]
    if spec[projection.source].role == "input":
        lines.append(f"{inside}const Given& given = given_[{number}]; const long at_ = trial_*n_steps_ + then_;")
        span, event = "given.first[at_]", "given.unit[k_], given.size[k_]"
        end = "given.first[at_ + 1]"
    else:
        index = places[projection.source].index
        span, end = f"bound_[{index}][then_]", f"bound_[{index}][then_ + 1]"
        event = f"list_[{index}][k_], {f'size_[{number}][k_]' if size_name(spec, projection) else '1.0f'}"
    lines.append(f"{inside}for (long k_ = {span}; k_ < {end}; k_++) add_row({to_port}, table_now, {event}, {to.size}L);")
    return "\n".join([*lines, "            }"])


def _kept(place: _Place, state: str, number: int) -> str:
    return (
        f"            for (long c_ = 0; c_ < {place.size}L; c_++)\n"
        f"                trace_[{number}][(trial_*n_steps_ + step_)*{place.size}L + c_] = {place.state(state)}[c_];"
    )
