"""Benchmark of the gradient flow, against diffrax and against descent; run from the root.

    python tests/benchmarks/flow.py [--quick]

One process and one core. The last stage alone, from the same state: motsim's `integrate` with its
compiled field, and Kvaerno5 of diffrax on the same field in the same coordinates, compiled
beforehand. Losses are compared where diffrax ends. Ratios are of processor time; where diffrax is
stopped (LIMIT) they are ratios at least.
"""

import json
import subprocess
import sys
from unittest.mock import patch

import numpy as np
from diffrax_baseline import Kind, follow, jnp, slope
from machine import ROOT, say, timed
from part import Requirement, run

from motsim.experiments.mixture.run import Settings
from motsim.experiments.mixture.run import run as run_settings
from motsim.mixture import training
from motsim.mixture.flow import integrate
from motsim.mixture.flow_jacobian import attend
from motsim.mixture.schedule import Solver
from motsim.mixture.training import warm_up

LOGISTIC = {"preset": "single", "loss": "logistic", "dynamics": "flow", "converge_steps": 1e14,
            "epsilon_min": 1e-12}  # fmt: skip
LINEAR = LOGISTIC | {"converge_rate": 0.5, "align_rate": 0.5}
CUBIC = LOGISTIC | {"activation": "cubic", "converge_rate": 0.2, "align_rate": 0.2}
MIXTURE = {"preset": "cubic", "dynamics": "flow", "converge_steps": 1e16, "epsilon_min": 1e-19}
ROUNDS = 5
#: A run of diffrax may take so many times motsim's seconds, and so many processor seconds.
LIMIT, LONGEST = 60.0, 40.0
#: Of diffrax. The mixture's loss of 1e-19 is a difference of outputs of 4e-10: with errors of 1e-6
#: it is not seen. 1e-10 is as much as it takes; the loose one says that this is not what costs.
TOLERANCE, FINE, LOOSE = (1e-6, 1e-6), (1e-10, 1e-12), (1e-6, 1e-9)
HEADS = (1, 2, 4, 8, 16)

FRESH = """
import json, sys, time
from motsim.experiments.mixture.run import Settings, run
from motsim.mixture.training import warm_up
warm_up()
begin, processor = time.perf_counter(), time.process_time()
found = run(Settings(**json.loads(sys.argv[1])))
wall, processor = time.perf_counter() - begin, time.process_time() - processor
lines = open("/proc/self/status").read().splitlines()
peak = next(float(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
print(json.dumps([found.status, wall, processor, peak]))
"""


class Caught(Exception):
    """Field and state of a flow that would begin."""


def last_stage(options):
    """Field and state with which the flow of a run begins."""

    def caught(field, state, *_, **__):
        raise Caught(field, state.copy())

    try:
        with patch.object(training, "integrate", caught):
            run_settings(Settings(**options))
    except Caught as found:
        return found.args
    raise AssertionError("no flow")


def for_jax(field):
    """The same field for `diffrax_baseline`: what it is of, and its arrays."""
    own, rule = field.derivative, field.derivative.rule
    kind = Kind(len(field.value.ffn), own.tokens.shape[2], rule.cubic, rule.logistic, rule.gated,
                rule.routing_scale, rule.trains_attention)  # fmt: skip
    data = {
        "tokens": own.tokens,
        "labels": own.labels,
        "weights": own.point_weights,
        "sums": own.sums,
    }
    if not kind.trains_attention:
        data["attention"] = np.stack([attend(own.tokens, a) for a in field.value.attention])
    else:
        data["places"] = next(at for name, at, _ in field.trained if name == "attention")
    return kind, data


def agreement(field, state):
    """Largest difference of the two fields at the start, of the largest number."""
    kind, data = for_jax(field)
    arguments = ({k: jnp.asarray(a) for k, a in data.items()}, jnp.asarray(field.rates))
    mine = field(state)[1]
    return float(np.abs(slope(0.0, jnp.asarray(state), arguments, kind) - mine).max()
                 / np.abs(mine).max())  # fmt: skip


def own(field, state, t_end, targets, rounds, keep=()):
    """motsim's flow, and its median seconds, wall and processor."""

    def flow():
        return integrate(
            field, state, t_end, targets,
            solver=Solver(), rates=field.rates, jacobian=field.jacobian, keep=keep,
        )  # fmt: skip

    pairs = [timed(flow) for _ in range(rounds)]
    return pairs[-1][0], np.median([seconds for _, seconds in pairs], axis=0)


def against_diffrax(name, options, t_end, target, tolerances, rounds, longest):
    """Print a line for each tolerance of diffrax; return the requirements."""
    field, state = last_stage(options)
    say(f"{name}: {len(state)} numbers, fields agree to {agreement(field, state):.1e}")
    targets = [target] if target else []
    flow, seconds = own(field, state, t_end, targets, rounds)
    ends = np.linspace(0.0, np.log1p(t_end), 73)[1:]
    limit = min(LIMIT * seconds[1], longest)
    kind, data = for_jax(field)
    found = []
    for tolerance in tolerances:
        other = follow(kind, state, data, field.rates, ends, tolerance, target=target, limit=limit)
        t, ratio = min(np.expm1(other["tau"]), t_end), other["seconds"][1] / seconds[1]
        mine = own(field, state, t_end, [], 1, [t])[0].kept[t][0]
        apart = abs(other["loss"] / mine - 1.0)
        came = f"to t = {t:.1e}, loss {other['loss']:.3g}"
        steps, taken = other["steps"], other["seconds"][1]
        row = f"{name:34}{len(state):6}{seconds[1]:9.3f}{flow.cost.steps:7}{steps:9}{taken:9.2f}"
        bound = "" if other["done"] else " at least"
        says = f"{came}, {apart:.1e} apart; tolerances {tolerance[0]:.0e}, {tolerance[1]:.0e}"
        print(f"{row}{ratio:8.1f}{bound}; {says}", flush=True)
        note = "" if other["done"] else f"at least; diffrax came {came}"
        found.append(Requirement(f"{name}, diffrax", 20.0, ratio, note=note))
        if tolerance != LOOSE:
            found.append(Requirement(f"{name}, losses apart", 1e-6, apart, False))
    return found


def against_descent(rounds, steps):
    """Time to 1e-7 of one head by steps of descent, from the time of fewer, against the flow."""
    options = LINEAR | {"num_experts": 1, "epsilon_min": 1e-7}
    field, state = last_stage(options)
    flow, seconds = own(field, state, 1e14, [1e-7], rounds)

    def descent(count):
        some = Settings(**options | {"dynamics": "descent", "converge_steps": count})
        return np.median([timed(lambda: run_settings(some))[1][1] for _ in range(rounds)])

    each, t = (descent(steps) - descent(1)) / steps, flow.hitting_times[0]
    print(f"\none head, logistic, T(1e-7) = {t:.3g}: {1e6 * each:.2f} us a step of descent, over")
    print(f"{steps:,} steps; extrapolated {each * t:.0f} s; flow {seconds[1]:.3f} s")
    note = f"extrapolated from {steps:,} steps"
    return [Requirement("one head, T(1e-7), descent", 1000.0, each * t / seconds[1], note=note)]


def sixteen(epsilon):
    """Seconds and memory of a whole run of 16 heads in a fresh process."""
    found = []
    for name, family in (("linear", LINEAR), ("cubic", CUBIC)):
        options = family | {"num_experts": 16, "epsilon_min": epsilon}
        command = [sys.executable, "-c", FRESH, json.dumps(options)]
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        status, wall, processor, peak = json.loads(done.stdout)
        assert status == "reached", (name, status)
        print(f"16 {name} heads to {epsilon:.0e}: {processor:.2f} s ({wall:.2f} s wall),"
              f" peak {peak:.0f} MB")  # fmt: skip
        found += [
            Requirement(f"16 {name} heads to {epsilon:.0e}, s", 20.0, processor, False),
            Requirement(f"16 {name} heads, MB", 500.0, peak, False),
        ]
    return found


def growth(epsilon, seeds, heads):
    """Exponents of time in the number of parameters, and of its largest parts."""
    found = []
    for name, family in (("linear", LINEAR), ("cubic", CUBIC)):
        rows = []
        for number in heads:
            taken = []
            for seed in range(seeds):
                options = family | {"num_experts": number, "seed": seed}
                field, state = last_stage(options)
                flow, seconds = own(field, state, 1e14, [epsilon], 1)
                a_jacobian = timed(lambda f=field, s=state: f.jacobian(s))[1][1]
                reached = flow.status == "reached"
                taken.append((seconds[1] if reached else np.nan, flow.cost.steps,
                              flow.cost.evaluations, flow.cost.jacobians, a_jacobian))  # fmt: skip
            rows.append((len(state), *np.nanmedian(taken, axis=0)))
        table = np.array(rows)
        print(f"\nlogistic, {name} heads to {epsilon:.0e}, medians of {seeds} seeds")
        print(" heads  numbers       s  steps  fields  Jacobians  ms each")
        for number, (size, taken, steps, fields, jacobians, each) in zip(heads, table, strict=True):
            row = f"{number:6}{size:9.0f}{taken:8.3f}{steps:7.0f}{fields:8.0f}"
            print(f"{row}{jacobians:11.0f}{1e3 * each:9.2f}")
        exponent = np.polyfit(np.log(table[:, 0]), np.log(table[:, 1]), 1)[0]
        found.append(Requirement(f"exponent in parameters, {name} heads", 2.0, exponent, False))
    return found


def measure(quick):
    """Print the tables; return the requirements."""
    warm_up()
    rounds, longest = (1, 2.0) if quick else (ROUNDS, LONGEST)
    print(f"{'':34}{'n':>6}{'motsim s':>9}{'steps':>7}{'steps':>9}{'diffrax s':>9}  {'ratio':>7}")
    found = []
    for heads in (1, 4):
        name = f"{heads} linear head{'s' * (heads > 1)}, logistic, t = 1e12"
        options, t_end = LINEAR | {"num_experts": heads}, 1e2 if quick else 1e12
        found += against_diffrax(name, options, t_end, 0.0, [TOLERANCE], rounds, longest)
    target, t_end = (0.05, 1e2) if quick else (1e-19, 1e16)
    found += against_diffrax(
        "cubic preset, last stage, 1e-19", MIXTURE, t_end, target, [FINE, LOOSE], rounds, longest
    )
    found += against_descent(rounds, 2_000 if quick else 200_000)
    found += sixteen(1e-2 if quick else 1e-10)
    found += growth(1e-2 if quick else 1e-10, 1 if quick else 3, HEADS[:2] if quick else HEADS)
    return found


if __name__ == "__main__":
    run(__doc__, measure)
