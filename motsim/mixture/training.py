"""Staged gradient descent with a gate trained throughout; one run gives one frozen `Trace`."""

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from motsim.mixture.data import Mixture, make_signals
from motsim.mixture.engine.problem import Problem
from motsim.mixture.engine.stage import Step
from motsim.mixture.flow import integrate
from motsim.mixture.flow_field import EngineField
from motsim.mixture.model import (
    Loss,
    Model,
    ModelParameters,
    check_routing,
    initial_parameters,
)
from motsim.mixture.points import Points, population
from motsim.mixture.record import Record
from motsim.mixture.schedule import FROZEN, Descent, Stage, check_dynamics
from motsim.mixture.trace import Trace
from motsim.randomness import generator
from motsim.vectors.compiling import rebuild

__all__ = ["train", "warm_up"]

Floats = NDArray[np.float64]
CHUNK_STEPS = 4096
CHUNK_NOISE = 500_000  # routing-noise numbers drawn at a time: those of a cache


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
    model : Model
        What is trained.
    points : Points
        What it is trained on, with their weights.
    stages : sequence of Stage
        The schedule.
    start : ModelParameters
        Where training starts; left as it is.
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

    Returns
    -------
    Trace
        How it ended, hitting times of the epsilons, the loss curve and the last parameters.

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
    check_dynamics(model, stages)  # first: what a flow needs is less than what routing offers
    for stage in stages:
        check_routing(model, stage.routing)
    problem = Problem.of(model, points, stages, start, loss=loss, use_mirror=use_mirror)
    rng = generator(seed, "routing")
    record = Record(targets, snapshot_steps, trace_points)
    for stage in stages:
        record.begin(problem.parameters())
        step = problem.stage(stage)
        if stage.dynamics == "flow":  # the last stage
            _follow(stage, step, problem, record)
        while record.runs and (steps := record.next_stop(stage.steps, CHUNK_STEPS)):
            noise = _noise(stage, model, rng, problem.draws, steps)
            losses = np.empty(len(noise) if noise.size else steps)
            taken = step.descend(noise, record.stop_loss, losses)
            record.add(losses, taken, problem.parameters)
        record.end(stage.name)
        if not record.runs:
            break
    if record.runs:
        record.finish(problem.noise_free_loss())
    return record.trace(problem.parameters())


def _follow(stage: Stage, step: Step, problem: Problem, record: Record) -> None:
    """Follow the gradient flow of a stage to its end, with snapshots on the way."""
    field = EngineField(step, problem.reduction.batch)
    wanted = [w - record.first for w in record.wanted]
    flow = integrate(
        field, field.state(step.value), stage.steps, record.targets,
        solver=stage.solver, rates=field.rates, jacobian=field.jacobian, parts=field.parts,
        keep=[*_flow_grid(stage.steps, record.trace_points), *wanted],
    )  # fmt: skip
    for time in wanted:
        if time in flow.kept:
            field.place(flow.kept[time][1])
            record.snapshots[record.first + time] = problem.parameters()
    field.place(flow.state)
    record.add_flow(flow)


def _flow_grid(length: int, count: int) -> list[float]:
    """Whole times at which the loss of a flow is kept: 0 and about `count`, geometrically."""
    return [0.0, *np.unique(np.geomspace(1, length, count).astype(np.int64)).tolist()]


def _noise(
    stage: Stage, model: Model, rng: np.random.Generator, draws: NDArray[np.int64], steps: int
) -> Floats:
    """Routing noise (steps, M, B) of the next steps, perhaps fewer; (1, 0, 0) for none."""
    if not model.gated or stage.routing.mode == "expected":
        return np.zeros((1, 0, 0))
    size = int(draws.max()) + 1
    shape = (min(steps, max(1, CHUNK_NOISE // (model.num_experts * size))), model.num_experts, size)
    return np.ascontiguousarray(stage.routing.draw(rng, shape)[..., draws])


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
