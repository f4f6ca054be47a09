"""The doors for numbers: every public function, method and type that takes some, read from the syntax trees."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "ei_brian"
NUMERIC = re.compile(r"\b(float|int|ArrayLike|FloatArray|Floats|IntArray|NDArray|Weights)\b")
OTHER = re.compile(r"Callable|tuple\[str")
# Parts whose numbers come from the package itself: simulators behind `Backend`, verbs (typer reads their numbers), files
INNER_PARTS = ("sim/", "toolchain/", "cli/", "storage/")
OUTER = ("sim/backend.py",)
# Modules and names that only the package calls, with numbers that came in by a door, and results that it hands out
INNER = set(
    """
    study/learning.py:Learning core/stdp.py:LearnedWeights.__init__ core/stdp.py:LearnedWeights.table
    core/stdp.py:LearnedWeights.sent core/stdp.py:LearnedWeights.step exchange/plot.py:Plot core/continued.py:Continued.restore
    core/intervention.py core/intervene.py core/transform/perturbed.py core/port_current.py
    core/learning.py:learned_weights core/learning.py:joined core/learning.py:with_weights core/stdp.py:LearnedWeights.numbers
    report/output_validation.py:OutputRung measure/choice.py:Psychometric measure/over_time.py:Estimate data/own_trials.py:taken
    data/encoded.py data/images.py exchange/trains.py
    config/trained.py core/competition.py core/engine.py core/elementary.py core/exponential.py core/input_current.py
    core/models/lif_exponential.py core/steady_curves.py core/roots.py
    core/neuron_model.py:NeuronModel.at_rest core/neuron_model.py:NeuronModel.initial_at_rest core/steady_cells.py
    core/neuron_model.py:NeuronModel.operating_point core/neuron_model.py:NeuronModel.standing_point core/operating_point.py
    core/population.py:Population.at_its_rest core/population.py:Population.operating_point
    core/neuron_model.py:NeuronModel.substeps core/neuron_model.py:NeuronModel.update_at
    core/neuron_model.py:NeuronModel.update_parts core/neuron_model.py:substeps core/noise/cell_noise.py core/noise/draw.py
    core/noise/dynamic.py core/noise/living.py core/noise/response.py core/synapse_sign.py
    core/noise/input_noise.py core/noise/kinds.py core/noise/philox.py core/noise/release.py
    core/noise/weight_noise.py core/numpy_engine.py core/plain_numbers.py core/plain_text.py
    core/program.py core/quantity.py:Coefficient
    core/quantity.py:Quantity
    core/recording.py core/weight_rows.py core/transform/calibration_state.py core/transform/cell_stand.py
    core/transform/calibration_view.py
    core/transform/holding.py core/models/physiology.py core/transform/output_scale.py
    core/transform/targets.py core/transform/turning.py core/transform/closed_loop.py core/transform/curves.py
    core/transform/drive_map.py core/transform/forced.py core/transform/fit_parameters.py core/transform/ladder.py:Rung
    core/transform/mixtures.py:Mixture core/transform/mixtures.py:assign_types core/transform/replay.py
    core/transform/trained_drive.py core/units.py interop/check.py interop/commands.py interop/dale.py interop/delays.py
    core/proof.py interop/differences.py interop/layout.py interop/module_run.py interop/operations.py interop/prove.py
    interop/heads.py interop/largest.py interop/own_cells.py interop/step_recorder.py core/models/passing.py:largest_of
    interop/recorder.py interop/shared_functions.py interop/returned.py interop/known_fields.py interop/expected.py
    interop/graph_builder.py interop/other_steps.py interop/of_spikes.py
    interop/silent.py interop/graph.py interop/modules.py interop/nir_cells.py interop/script_parts.py
    interop/state_dict.py:graph_of interop/trace.py learn/ensemble.py:EnsembleHistory learn/input_variation.py
    learn/network.py:Layer learn/engine/engine.py learn/engine/trials.py learn/initial_rate.py:scale_to_rate learn/optimiser.py
    learn/passes.py:BatchResult learn/passes.py:passes_for learn/train.py:train_in_order learn/passes.py:Evaluation
    learn/goal.py learn/run.py learn/teacher.py learn/passes.py:EnginePasses.__init__
    learn/training_config.py:History measure/balance.py:Balance measure/decision.py:Proportion measure/rates.py:RateSummary
    report/cells.py report/comparison.py report/document.py report/figures/confusion.py report/figures/currents.py
    report/figures/distances.py report/figures/ladder.py report/figures/robustness.py report/figures/traces.py
    report/controls.py report/noisy.py report/rung.py report/settings.py:Settings.type_seed report/settings.py:Settings.noise_seed
    report/settings.py:mix_in_words report/verdict.py report/style.py report/validation.py:Validation report/words.py
    study/claim.py study/comparison.py study/condition.py
    study/dask_cluster.py study/outcome.py study/pool.py study/scheduler.py study/statistics.py:Interval
    study/statistics.py:PairedTest study/store.py study/sweep.py:Summary
    core/models/step_errors.py core/neuron_model.py:NeuronModel.solver core/spec.py:NetworkSpec.sha256_of_steps
    core/step_error.py:resting_cells core/step_error.py:spike_times core/step_error.py:compared
    measure/irregularity.py:fano_factor study/cell_fit.py:SweepFit
    """.split()  # fano_factor's groups are labels of any kind
)


def doors() -> Iterator[tuple[str, str, ast.AST]]:
    """Yield file, qualified name and node of everything public that takes numbers."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if name in INNER or (name.startswith(INNER_PARTS) and name not in OUTER):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        public = _public(tree)
        for node in tree.body:
            if getattr(node, "name", None) in public:
                yield from ((name, found, one) for found, one in _of(node) if f"{name}:{found}" not in INNER)


def marked(node: ast.AST) -> bool:
    """Tell whether a door is marked with `takes_numbers`."""
    return any("takes_numbers" in ast.unparse(one) for one in getattr(node, "decorator_list", ()))


def numeric(annotation: ast.AST | None) -> bool:
    text = "" if annotation is None else ast.unparse(annotation)
    return bool(NUMERIC.search(text)) and not OTHER.search(text)


def _public(tree: ast.Module) -> list[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return [element.value for element in node.value.elts]  # type: ignore[attr-defined]
    return []


def _of(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node, ast.FunctionDef) and _takes(node):
        yield node.name, node
    if isinstance(node, ast.ClassDef):
        fields = [part for part in node.body if isinstance(part, ast.AnnAssign) and numeric(part.annotation)]
        if fields and any("dataclass" in ast.unparse(one) for one in node.decorator_list):
            yield node.name, node
        for part in node.body:
            if isinstance(part, ast.FunctionDef) and (part.name == "__init__" or not part.name.startswith("_")) and _takes(part):
                yield f"{node.name}.{part.name}", part


def _takes(function: ast.FunctionDef) -> bool:
    arguments = function.args
    return any(numeric(one.annotation) for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs))
