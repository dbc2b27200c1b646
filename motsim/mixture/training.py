"""Staged gradient descent with a gate trained throughout; one run gives one frozen `Trace`."""

import logging
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from motsim.mixture import kernels
from motsim.mixture.data import Mixture, make_signals
from motsim.mixture.engine.layout import (
    aligned,
    aligned_zeros,
    count_tokens,
    kernel_rule,
    kernel_workspace,
    summed_over_queries,
)
from motsim.mixture.engine.parts import count_parts, padded, stage_parts
from motsim.mixture.engine.reduction import Reduction
from motsim.mixture.flow import Flow, integrate
from motsim.mixture.flow_field import EngineField
from motsim.mixture.model import (
    Loss,
    Model,
    ModelParameters,
    check_routing,
    initial_parameters,
)
from motsim.mixture.optimizers import descend, memories, problem_of
from motsim.mixture.points import Points, population
from motsim.mixture.schedule import FROZEN, Descent, Stage, check_dynamics
from motsim.mixture.trace import StageBounds, Trace, first_hits, thinned_steps
from motsim.randomness import generator
from motsim.vectors.compiling import rebuild

__all__ = ["train", "warm_up"]

Floats = NDArray[np.float64]
CHUNK_STEPS = 4096
# Under plain descent an expert whose routing probability is below this at every point moves by
# less than rounding: its gradient is at most this times that of a routed expert.
NEGLIGIBLE = 1e-40
MAX_KEPT = 1 << 27  # bytes of attention weights, or of moments
CHUNK_NOISE = 4_000_000  # routing-noise numbers drawn at a time


def train(
    model: Model,
    points: Points,
    stages: Sequence[Stage],
    start: ModelParameters,
    *,
    loss: Loss = "squared",
    epsilons: Sequence[float] = (),
    snapshot_steps: Sequence[int] = (),
    trace_points: int = 200,
    seed: int = 0,
    use_mirror: bool = True,
) -> Trace:
    """Train through the stages until the smallest epsilon is reached or the steps are used up.

    Parameters
    ----------
    model, points, stages, start
    loss : {"squared", "logistic"}
    epsilons : sequence of float
        Positive targets of the expected loss, in any order.
    snapshot_steps : sequence of int
        Steps at which to keep the parameters.
    trace_points : int
        About this many points of the loss curve are kept for each stage.
    seed : int
        Of the run; its "routing" stream draws the noise of sampled routing.
    use_mirror : bool
        Use the exact halving of the population where it applies, and take equal points as one.

    Raises
    ------
    ValueError
        If an epsilon is not positive, the routing does not fit the model, or a stage cannot run as
        a gradient flow but is to.
    RuntimeError
        If the solver of a gradient flow gives up.
    """
    targets = np.asarray(epsilons, dtype=float)
    if not (np.isfinite(targets).all() and (targets > 0).all()):
        raise ValueError(f"epsilons must be finite and > 0; got {list(epsilons)}")
    for stage in stages:
        check_routing(model, stage.routing)
    check_dynamics(model, stages)
    sampled = model.gated and any(s.routing.mode == "sampled" for s in stages)
    problem = problem_of(stages, model, points, start, use_mirror=use_mirror and not sampled)
    num_parts = count_parts(model, problem.batch)
    problem = replace(problem, batch=padded(problem.batch, num_parts))
    origin = problem.project(start)
    value = kernels.Parameters(*(a.copy() for a in origin))
    gradient = kernels.Parameters(*(np.zeros_like(a) for a in value))
    work = kernel_workspace(model, problem.batch)
    drawn = problem.batch.order if points.draws is None else points.draws[problem.batch.order]
    rng = generator(seed, "routing")
    stop_loss = float(targets.min()) if targets.size else -1.0
    wanted = sorted({int(s) for s in snapshot_steps})

    step, status, final = 0, "max_steps", np.nan
    pieces: list[Floats] = []
    bounds: list[StageBounds] = []
    snapshots: dict[int, ModelParameters] = {}
    flow: Flow | None = None
    for stage in stages:
        first = step
        snapshots[step] = problem.lift(value, start, origin)
        rule = _rule(model, problem, loss, stage)
        scratch = _keep_attention(rule, value, problem.batch, work)
        rule, parts, scratch = stage_parts(model, rule, problem.batch, scratch, num_parts)
        if rule.routing_scale == 1.0 and not rule.sampled:  # q is pi
            scratch = scratch._replace(choice=scratch.gates)
        if stage.dynamics == "flow":  # the last stage
            field = EngineField(value, parts, rule, scratch, gradient, problem.batch)
            times = [*_flow_grid(stage.steps, trace_points), *(w - first for w in wanted)]
            flow = integrate(
                field, field.state(value), stage.steps, targets,
                solver=stage.solver, rates=field.rates, jacobian=field.jacobian, keep=times,
            )  # fmt: skip
            for w in wanted:
                if w - first in flow.kept:
                    field.place(flow.kept[w - first][1])
                    snapshots[w] = problem.lift(value, start, origin)
            field.place(flow.state)
            status, final, step = flow.status, flow.loss, first + math.ceil(flow.time)
            bounds.append(StageBounds(stage.name, first, step))
            break
        remembered = memories(stage, problem, value, gradient)
        while step < first + stage.steps and status == "max_steps":
            upto = min([first + stage.steps, step + CHUNK_STEPS, *(w for w in wanted if w > step)])
            noise = _noise(stage, model, rng, drawn, upto - step)
            losses = np.empty(len(noise) if noise.size else upto - step)
            taken = descend(
                remembered, value, parts, rule, scratch, noise, gradient, stop_loss, losses
            )
            if taken < len(losses):  # stopped before a step: its loss counts, the rest is unset
                final = float(losses[taken])
                status = "reached" if final <= stop_loss else "diverged"
                losses = losses[:taken]
            pieces.append(losses)
            step += taken
            if step in wanted:
                snapshots[step] = problem.lift(value, start, origin)
        bounds.append(StageBounds(stage.name, first, step))
        if status != "max_steps":
            break
    if status == "max_steps" and flow is None:
        rule = _rule(model, problem, loss, Stage("end", 0))
        scratch, noise = _in_memory(problem.batch, work), np.zeros((0, 0))
        final = float(kernels.gradients(value, problem.batch, rule, scratch, noise, gradient))
        if not np.isfinite(final):
            status = "diverged"
        elif targets.size and final <= stop_loss:
            status = "reached"
    # Of descent alone: a flow begins at the end of this curve.
    curve = np.concatenate([*pieces, [final if flow is None else flow.kept[0.0][0]]])
    by_descent, last = (bounds, step) if flow is None else (bounds[:-1], len(curve) - 1)
    hits = first_hits(curve, targets)
    rows = [first_hits(curve[stage.start : stage.stop + 1], targets) for stage in by_descent]
    kept = thinned_steps(by_descent, last, trace_points)
    losses = curve[kept]
    if flow is not None:
        rows.append(flow.hitting_steps)
        hits = np.where((hits < 0) & (rows[-1] >= 0), last + rows[-1], hits)
        grid = {last + int(t): loss for t, (loss, _) in flow.kept.items()} | {step: final}
        more = sorted(set(grid) - set(kept.tolist()))
        kept, losses = np.append(kept, more), np.append(losses, [grid[s] for s in more])
    return Trace(
        status=status,  # type: ignore[arg-type]
        num_steps=step,
        epsilons=targets,
        hitting_steps=hits,
        stage_hitting_steps=np.array(rows).reshape(len(bounds), -1),
        trace_steps=kept,
        trace_losses=losses,
        stages=tuple(bounds),
        parameters=problem.lift(value, start, origin),
        snapshots=snapshots,
        final_loss=final,
        flow=None if flow is None else flow.cost,
        flow_times=None if flow is None else flow.hitting_times,
    )


def _flow_grid(length: int, count: int) -> list[float]:
    """Whole times at which the loss of a flow is kept: 0 and about `count`, geometrically."""
    return [0.0, *np.unique(np.geomspace(1, length, count).astype(np.int64)).tolist()]


def _rule(model: Model, problem: Reduction, loss: Loss, stage: Stage) -> kernels.Rule:
    """What a step of a stage does."""
    attention = stage.attention if model.num_attentions else FROZEN
    return kernel_rule(model, loss, stage.routing)._replace(
        ffn_rate=float(stage.ffn.rate),
        ffn_normalized=stage.ffn.optimizer == "normalized_gd",
        attention_rate=float(attention.rate),
        attention_normalized=attention.optimizer == "normalized_gd",
        gate_rate=float(stage.gate.rate) if model.gated else 0.0,
        gate_normalized=stage.gate.optimizer == "normalized_gd",
        class_axes=problem.class_coordinates if problem.odd else 0,
        negligible=NEGLIGIBLE
        if stage.routing.mode == "expected"
        and "normalized_gd" not in (stage.ffn.optimizer, attention.optimizer)
        else 0.0,
    )


def _keep_attention(
    rule: kernels.Rule, value: kernels.Parameters, batch: kernels.Batch, work: kernels.Workspace
) -> kernels.Workspace:
    """Scratch with what a stage needs of its attention: where it is frozen, computed here, once.

    Equal attentions are kept once; for linear experts the sum over queries is all that is needed.
    Points of three signal tokens need the moments of what they attend to.
    """
    if rule.attention_rate > 0.0:
        return _in_memory(batch, work)
    if kernels.only_signals(batch):
        return _keep_moments(rule, value, batch, work)
    if not rule.mixed:
        return work
    if (value.attention == value.attention[0]).all():
        work = work._replace(weights=work.weights[:1])
    elif not rule.cubic:
        return work._replace(weights=_summed_attention(value, batch, work))
    kernels.refresh_attention(value, batch, work)
    if not rule.cubic:
        work = work._replace(weights=summed_over_queries(work.weights, count_tokens(batch)))
    return work


def _keep_moments(
    rule: kernels.Rule, value: kernels.Parameters, batch: kernels.Batch, work: kernels.Workspace
) -> kernels.Workspace:
    """Scratch with the moments of a stage, unless they are too many."""
    alike = (value.attention == value.attention[:1]).all()
    shape = (len(batch.axes), 1 if alike else len(value.attention), *work.moments.shape[2:])
    if 8 * math.prod(shape) > MAX_KEPT:
        return work
    work = work._replace(moments=aligned_zeros(shape))
    kernels.refresh_moments(value, batch, rule, work.moments)
    return work


def _in_memory(batch: kernels.Batch, work: kernels.Workspace) -> kernels.Workspace:
    """Scratch without attention weights where they are too many and a pass can do without."""
    own = len(work.weights) == len(work.outputs)
    if own and kernels.only_signals(batch) and work.weights.nbytes > MAX_KEPT:
        return work._replace(weights=work.weights[:0])
    return work


def _summed_attention(
    value: kernels.Parameters, batch: kernels.Batch, work: kernels.Workspace
) -> Floats:
    """Attention weights summed over queries; those of one expert are computed at a time."""
    one, sums = work._replace(weights=work.weights[:1]), []
    for i in range(len(value.attention)):
        kernels.refresh_attention(value._replace(attention=value.attention[i : i + 1]), batch, one)
        sums.append(summed_over_queries(one.weights, count_tokens(batch)))
    return aligned(np.concatenate(sums))


def _noise(
    stage: Stage, model: Model, rng: np.random.Generator, drawn: NDArray[np.int64], steps: int
) -> Floats:
    """Routing noise (steps, M, B) of the next steps, perhaps fewer; (1, 0, 0) for none."""
    if not model.gated or stage.routing.mode == "expected":
        return np.zeros((1, 0, 0))
    size = int(drawn.max()) + 1
    shape = (min(steps, max(1, CHUNK_NOISE // (model.num_experts * size))), model.num_experts, size)
    return np.ascontiguousarray(stage.routing.draw(rng, shape)[..., drawn])


def warm_up() -> None:
    """Compile every kernel of training, or load it from the cache; repair a broken cache."""
    try:
        _smallest_run()
    except (EOFError, OSError, ValueError, ImportError, SystemError) as error:
        # A cache file that was cut short fails at every call: compile again, once.
        logging.getLogger(__name__).warning("rebuilding the kernel cache after %r", error)
        rebuild()
        _smallest_run()


def _smallest_run() -> None:
    model, on = Model("mot", 2), Descent(1e-3)
    start = initial_parameters(model, 4, init_std=0.1, attention_scale=1.0)
    for tokens in (3, 4):
        mixture = Mixture(2, 4, tokens, noise_std=1.0)
        points = population(mixture, make_signals(mixture), num_nodes=1)
        train(model, points, [Stage("all", 1, on, on, on), Stage("ffn", 1, on, FROZEN, on)], start)
