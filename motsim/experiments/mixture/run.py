"""One training run on the mixture-of-classification data."""

from dataclasses import asdict, replace
from typing import Any

import numpy as np

from motsim.experiments.mixture.effective import effective
from motsim.experiments.mixture.measures import measure, snapshot_steps
from motsim.experiments.mixture.settings import Settings, build_model, mixture, stages
from motsim.experiments.result import Result
from motsim.mixture.ahead import compile_ahead
from motsim.mixture.anew import train_anew
from motsim.mixture.data import make_signals
from motsim.mixture.diagnostics import (
    coverage,
    dispatch,
    dispatch_entropy,
    expert_alignment,
    expert_classes,
    routing_accuracy,
)
from motsim.mixture.draws import Draws, draw
from motsim.mixture.evaluation import Evaluation, evaluate, evaluate_in_reduction
from motsim.mixture.model import Model, ModelParameters, Routing, initial_parameters
from motsim.mixture.points import Points, population, sample, shared_draws
from motsim.mixture.schedule import Stage
from motsim.mixture.trace import Trace
from motsim.mixture.training import train
from motsim.randomness import generator

__all__ = [
    "Settings", "build_model", "compile_ahead", "cost", "effective", "epsilon_grid", "fresh_points",
    "prepare", "run", "stages",
]  # fmt: skip

#: Sources whose change makes stored runs of this kind stale.
NEAR = 1e-9  # of a place of the grid, in units of its distances
NEW_SAMPLE, NEW_STEP = 3e-7, 2e-5  # seconds of a new sample, and of a step and its look, about
STRIDE = 1_000_003  # of the seeds of samples, from run to run: more than the steps of one
SECONDS = 1e-9  # of one multiplication in the inner loops, about; measured on one 2.6 GHz core
#: Gradients of a flow of some ten decades; its Jacobians, of about a third of one a number each.
FLOW_PASSES, FLOW_JACOBIANS = 5000.0, 200.0 / 3.0


def epsilon_grid(settings: Settings) -> np.ndarray:
    """Return the targets: epsilon_max, then `epsilons_per_decade` a decade down to epsilon_min.

    The decades among them are the floats 0.1, 0.01, ... that a reader writes down, wherever
    epsilon_max lies.
    """
    n = settings.epsilons_per_decade
    first, last = (-n * np.log10(end) for end in (settings.epsilon_max, settings.epsilon_min))
    exponents = range(int(np.ceil(first - NEAR)), int(np.floor(last + NEAR)) + 1)
    grid = [float(f"1e-{i // n}") if i % n == 0 else 10.0 ** (-i / n) for i in exponents]
    if not exponents or exponents[0] - first > NEAR:  # epsilon_max lies between two exponents
        grid.insert(0, settings.epsilon_max)
    return np.array(grid)


def prepare(settings: Settings) -> tuple[Points, ModelParameters]:
    """Return the training points and the starting parameters of a run."""
    data = mixture(settings)
    signals = make_signals(data, settings.seed)
    if settings.sample_size:
        points = sample(
            data, signals, settings.sample_size, seed=settings.seed, closed=settings.sample_closed
        )
    else:
        points = population(
            data,
            signals,
            num_nodes=settings.num_nodes,
            noise_replicates=settings.noise_replicates,
            seed=settings.seed,
        )
        points = replace(points, draws=shared_draws(points, settings.routing_sharing))
    if settings.shuffle_labels:
        points = _without_meaning(points, settings.seed)
    start = initial_parameters(
        build_model(settings),
        settings.dim,
        init_std=settings.init_std,
        attention_scale=settings.attention_scale,
        orthogonal_to=signals.class_basis() if settings.orthogonal_start else None,
        seed=settings.seed,
    )
    return points, start


def _without_meaning(points: Points, seed: int) -> Points:
    """Points with their labels in random order."""
    labels = generator(seed, "sampling").permutation(points.labels)
    return replace(points, labels=labels, mirrored=False)


def fresh_points(settings: Settings) -> Points | None:
    """Return points that training has not seen; None where it saw the exact population.

    With noise tokens, the population with as many other noise draws; for a finite sample, the
    population itself.
    """
    s = settings
    noisy = s.num_tokens > 3 and s.noise_std > 0
    if not (noisy or s.sample_size):
        return None
    data = mixture(s)
    return population(
        data,
        make_signals(data, s.seed),
        num_nodes=s.num_nodes,
        noise_replicates=s.noise_replicates,
        seed=s.seed,
        stream="evaluation",
    )


def cost(settings: Settings) -> float:
    """Return about how many seconds a run takes if it uses all its steps, on one core."""
    s = settings
    nodes = 1
    for low, high in (s.class_amplitude, s.signal_amplitude, s.distractor_amplitude):
        nodes *= s.num_nodes if high > low else 1
    points = s.sample_size or 4 * s.num_classes * (s.num_classes - 1) * nodes * s.noise_replicates
    if s.new_samples:
        return (NEW_STEP + NEW_SAMPLE * s.new_samples) * sum(stage.steps for stage in stages(s))
    steps = sum(_passes(s, stage) * (6.0 if stage.attention.rate else 1.0) for stage in stages(s))
    seconds = SECONDS * steps * points * s.num_experts * s.num_neurons * s.num_tokens**2
    remembers = s.converge_optimizer in ("momentum", "adam")  # a step at a time, from Python
    return seconds + 3e-5 * stages(s)[-1].steps * remembers


def _passes(settings: Settings, stage: Stage) -> float:
    """About how often a stage computes its gradients."""
    if stage.dynamics == "descent":
        return stage.steps
    coordinates = min(settings.dim, 2 * settings.num_classes)
    numbers = (
        settings.num_neurons + (stage.gate.rate > 0) + (stage.attention.rate > 0) * coordinates
    )
    return FLOW_PASSES + FLOW_JACOBIANS * settings.num_experts * coordinates * numbers


def run(settings: Settings) -> Result:
    """Train once and measure; the only thing that a worker executes."""
    compile_ahead(only_signals=settings.num_tokens == 3)
    points, start = prepare(settings)
    model = build_model(settings)
    schedule = stages(settings)
    if settings.new_samples:
        return _result(settings, model, points, _train_anew(settings, model, points, start))
    trace = train(
        model,
        points,
        schedule,
        start,
        loss=settings.loss,
        epsilons=epsilon_grid(settings).tolist(),
        snapshot_steps=snapshot_steps(
            [s.steps for s in schedule], settings.measures, settings.snapshots
        ),
        trace_points=settings.curve_points,
        seed=settings.seed,
    )
    return _result(settings, model, points, trace)


def _train_anew(settings: Settings, model: Model, points: Points, start: ModelParameters) -> Trace:
    """Train on samples that are drawn anew in each step; `points` is what the loss is of."""
    data, size = mixture(settings), settings.new_samples

    def drawn(step: int, steps: int) -> Draws:
        rng = generator(STRIDE * settings.seed + step, "sampling")
        samples = draw(data, points.signals, rng, steps * size)
        if settings.shuffle_labels:
            samples = replace(samples, labels=rng.permutation(samples.labels))
        return samples

    return train_anew(
        model, points, drawn, size, stages(settings), start,
        loss=settings.loss, epsilons=epsilon_grid(settings).tolist(),
        trace_points=settings.curve_points,
    )  # fmt: skip


def _result(settings: Settings, model: Model, points: Points, trace: Trace) -> Result:
    """Measure a run."""
    schedule = stages(settings)
    last = trace.stages[-1]
    metrics: dict[str, Any] = {
        "num_steps": trace.num_steps,
        "stage_length": last.stop - last.start,
        "final_loss": trace.final_loss,
    }
    if trace.flow is not None:
        took = asdict(trace.flow)
        del took["method"]
        metrics |= {f"flow_{name}": value for name, value in took.items()}
    tables = {"hits": _hits(trace), "curve": _curve(trace)}
    if trace.parameters.is_finite():
        if model.gated:
            if points.tokens.shape[1] == 3:
                evaluation = evaluate_in_reduction(
                    model, trace.parameters, points, loss=settings.loss
                )
            else:
                evaluation = evaluate(
                    model, trace.parameters, points, loss=settings.loss, with_attention=False
                )
            metrics |= _routing(evaluation, points, trace.parameters)
        metrics["specialized_experts"] = int(
            (expert_classes(expert_alignment(trace.parameters, points.signals)) >= 0).sum()
        )
        fresh = fresh_points(settings)
        if fresh is not None:
            unseen = evaluate(
                model, trace.parameters, fresh, loss=settings.loss, with_attention=False
            )
            metrics["fresh_loss"] = unseen.loss
    if settings.measures:
        routing = schedule[-1].routing if settings.top_k == 1 else Routing()
        tables |= measure(
            settings.measures, model, points, trace, loss=settings.loss, routing=routing
        )
    return Result(trace.status, metrics, tables)


def _routing(evaluation: Evaluation, points: Points, parameters: ModelParameters) -> dict[str, Any]:
    shares = dispatch(evaluation, points)
    classes = expert_classes(expert_alignment(parameters, points.signals))
    return {
        "dispatch_entropy": dispatch_entropy(shares),
        "routing_accuracy": routing_accuracy(evaluation, points, classes),
        "covered_classes": coverage(shares, classes),
        "used_experts": int((shares.sum(axis=1) > 0).sum()),
    }


def _hits(trace: Trace) -> dict[str, list[Any]]:
    """T(epsilon) from the first step, and from the start of the last stage; -1: never."""
    return {
        "epsilon": trace.epsilons.tolist(),
        "step": trace.hitting_steps.tolist(),
        "stage_step": trace.stage_hitting_steps[-1].tolist(),
    }


def _curve(trace: Trace) -> dict[str, list[Any]]:
    starts = [stage.start for stage in trace.stages]
    i_stage = np.searchsorted(starts, trace.trace_steps, side="right") - 1
    names = [trace.stages[i].name for i in i_stage]
    return {
        "step": trace.trace_steps.tolist(),
        "loss": trace.trace_losses.tolist(),
        "stage": names,
    }
