"""Where a step's time goes, motsim alone; run from the repository's root.

    python tests/benchmarks/pieces.py [--larger]

Microseconds a step of every stage. Then, N = 4, M = 16, of a step where each stage of a run ends:
all but its update in one loop, and by the kernels that do the same in sweeps; and milliseconds of
that run. The least of many repeats. To compare two commits run it in both checkouts in turns:
processes differ by a quarter by where their arrays lie.
"""

import sys
import time
from functools import partial

import numba
from machine import describe, one_thread, timed
from step import STAGES, motsim_seconds, step_counts, step_seconds

from motsim.experiments.mixture.run import Settings, build_model, prepare, stages
from motsim.mixture import training
from motsim.mixture.engine.layout import kernel_buffers
from motsim.mixture.engine.parts import in_parts
from motsim.mixture.engine.reduction import reduce_problem
from motsim.mixture.engine.stage import keep_attention, stage_rule
from motsim.mixture.kernels import WIDTH, Parameters, descent, fused, routing, updates
from motsim.mixture.kernels.frozen import pass_frozen
from motsim.mixture.kernels.passes import pass_groups
from motsim.mixture.kernels.phases import BOTH, PassMode
from motsim.mixture.kernels.routes import FROZEN, FUSED, SIGNALS, choose_route
from motsim.mixture.kernels.three import pass_three

CASES = {
    "cubic, M = 16": {"preset": "cubic"},
    "linear, M = 32": {"preset": "linear", "num_experts": 32},
    "cubic, M = 512": {"preset": "cubic", "num_experts": 512},
    "cubic, N = 16, M = 64": {"preset": "cubic", "num_classes": 16, "num_experts": 64, "dim": 64},
    "cubic, M = 16, L = 5": {"preset": "cubic", "num_tokens": 5, "noise_std": 0.3},
}
LARGER = {
    "N = 16, M = 64, d = 64, L = 16": {
        "preset": "cubic", "num_classes": 16, "num_experts": 64, "dim": 64, "num_tokens": 16,
        "noise_std": 0.3,
    }
}  # fmt: skip
REPEATS, CALLS = 20, 300


@numba.njit(_nrt=False)
def whole(count, value, batch, parts, rule, buffers, gradient, noise):
    for _ in range(count):
        fused.pass_fused(value, parts, 0, rule, buffers, gradient)


@numba.njit(_nrt=False)
def route(count, value, batch, parts, rule, buffers, gradient, noise):
    for _ in range(count):
        descent.route(value, batch, rule, buffers, noise)


@numba.njit(_nrt=False)
def experts(count, value, batch, parts, rule, buffers, gradient, noise):
    for _ in range(count):
        if rule.route == FROZEN or rule.route == FUSED:
            pass_frozen(value, batch, rule, buffers, gradient, PassMode(BOTH, True))
        elif rule.route == SIGNALS:
            pass_three(value, batch, rule, buffers, gradient, PassMode(BOTH, True))
        else:
            pass_groups(value, batch, rule, buffers, gradient, PassMode(BOTH, True))


@numba.njit(_nrt=False)
def loss(count, value, batch, parts, rule, buffers, gradient, noise):
    for _ in range(count):
        descent.noise_free_loss(batch, rule, buffers)


@numba.njit(_nrt=False)
def gate(count, value, batch, parts, rule, buffers, gradient, noise):
    for _ in range(count):
        routing.gate_gradient(buffers.gates, buffers.by_gate, batch, buffers, gradient.gate)


@numba.njit(_nrt=False)
def update(count, value, batch, parts, rule, buffers, gradient, noise):
    for _ in range(count):
        updates.update(value, gradient, batch.metric, rule, buffers)


def kernels_of_a_step(settings, last):
    """Where stage `last` (0, 1, 2) of a run ends: name -> least microseconds a call.

    And the share of blocks of eight points in which an expert is served, of all pairs of both.
    """
    model, schedule = build_model(settings), stages(settings)
    points, start = prepare(settings)
    end = training.train(model, points, schedule[: last + 1], start).parameters
    problem = reduce_problem(model, points, end)
    value, batch = problem.project(end), problem.batch
    rule = stage_rule(model, problem, "squared", schedule[last])
    buffers = keep_attention(rule, value, batch, kernel_buffers(model, batch))
    rule = rule._replace(route=int(choose_route(value, batch, rule, buffers)))
    gradient = Parameters(*(0.0 * array for array in value))
    found = {}
    for kernel in (whole, route, experts, loss, gate, update):
        if kernel is whole and rule.route != FUSED:
            continue
        arguments = value, batch, in_parts(batch, 1), rule, buffers, gradient, value.gate[:0]
        kernel(1, *arguments)
        taken = []
        for _ in range(REPEATS):
            begin = time.perf_counter()
            kernel(CALLS, *arguments)
            taken.append(time.perf_counter() - begin)
        found[kernel.__name__] = 1e6 * min(taken) / CALLS
        if kernel is route:
            most = buffers.choice.reshape(len(buffers.choice), -1, WIDTH).max(axis=2)
            share = float((most >= rule.negligible).mean())
    return found, share


def milliseconds_of_a_run(settings):
    """Least milliseconds of a call of `train`, all stages."""
    points, start = prepare(settings)
    run = partial(training.train, build_model(settings), points, stages(settings), start)
    return 1e3 * min(timed(run)[1][0] for _ in range(REPEATS))


def main():
    one_thread()
    print(describe())
    training.warm_up()
    larger = "--larger" in sys.argv[1:]
    for name, overrides in (LARGER if larger else CASES).items():
        settings = Settings(**overrides)
        points, start = prepare(settings)
        line = f"{name:32}"
        for stage in ("I", "III") if larger else STAGES:
            run = partial(motsim_seconds, settings, points, start, stage)
            counts = step_counts(run, 0.05)
            rounds = 3 if larger else REPEATS
            least = min(step_seconds(run, counts)[0] for _ in range(rounds))
            line += f"{stage:>5}{1e6 * least:10.2f}"
        print(line, flush=True)
    if not larger:
        settings = Settings(specialize_steps=2000, align_steps=200, converge_steps=2000)
        for last, stage in enumerate(STAGES):
            found, share = kernels_of_a_step(settings, last)
            line = "  ".join(f"{name} {taken:.2f}" for name, taken in found.items())
            print(f"stage {stage:3} ends: {line}  served {100 * share:.0f} %")
        print(f"(2000, 200, 2000) steps: {milliseconds_of_a_run(settings):.1f} ms")


if __name__ == "__main__":
    main()
