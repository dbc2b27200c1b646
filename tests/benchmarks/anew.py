"""Nanoseconds a sample of steps on new samples each, against steps on a fixed sample.

Run from the root:

    python tests/benchmarks/anew.py [--quick]

Both take the same steps by the same rules; the new samples are drawn, laid out and, where attention
is frozen, attended to in each step, which a fixed sample does once. No losses are looked at.
"""

from dataclasses import replace
from functools import partial

from machine import say, timed
from part import Requirement, run
from step import step_counts, step_seconds, typical

from motsim.experiments.mixture.run import Settings, build_model, prepare, stages
from motsim.experiments.mixture.settings import mixture
from motsim.mixture import anew
from motsim.mixture.draws import draw
from motsim.mixture.schedule import Stage
from motsim.mixture.training import train
from motsim.randomness import generator

NARROW = {"distractor_amplitude": (0.5, 1.5), "align_steps": 100}
CUBIC = {"preset": "cubic", "num_classes": 4, "num_experts": 16, "dim": 24} | NARROW
SETTINGS = {
    "L = 3": CUBIC | {"num_tokens": 3},
    "L = 3, no attention": CUBIC | {"num_tokens": 3, "model": "moe"},
    "L = 5, sigma = 0.3": CUBIC | {"num_tokens": 5, "noise_std": 0.3},
}
SIZES = (8, 256)
NEEDED, ROUNDS, TARGET_SECONDS = 1.3, 5, 0.3


def on_fixed(settings, stage, steps):
    points, start = prepare(settings)
    train(build_model(settings), points, [replace(stage, steps=steps)], start, trace_points=2)


def on_new(settings, stage, steps):
    points, start = prepare(settings)
    data, rng, size = mixture(settings), generator(0, "sampling"), settings.new_samples
    anew.train_anew(
        build_model(settings), points,
        lambda step, count: draw(data, points.signals, rng, count * size), size,
        [replace(stage, steps=steps), Stage("end", 0)], start, epsilons=[1e-300],
    )  # fmt: skip


def measure(quick):
    """Print nanoseconds a sample of every stage; return the requirements."""
    anew.SPARSE = 1 << 40
    found = []
    print("wall ns a sample: on a fixed sample, on new samples, ratio (of processor time)")
    for name, values in SETTINGS.items():
        for size in SIZES:
            say(f"{name}, {size} samples a step")
            fixed, new = (
                Settings(**values, **{key: size}) for key in ("sample_size", "new_samples")
            )
            for stage in stages(fixed):
                calls = partial(on_fixed, fixed, stage), partial(on_new, new, stage)
                runs = [lambda n, call=call: timed(partial(call, n))[1] for call in calls]
                counts = [step_counts(seconds_of, TARGET_SECONDS) for seconds_of in runs]
                rows = [[], []]
                for _ in range(1 if quick else ROUNDS):
                    for place in (0, 1):
                        rows[place].append(step_seconds(runs[place], counts[place]))
                once, each = (typical(row) for row in rows)
                ratio = each / once
                print(
                    f"  {name:20} {size:5} {stage.name:12}{1e9 * once[0] / size:9.0f}"
                    f"{1e9 * each[0] / size:9.0f}{ratio[0]:8.2f} ({ratio[1]:.2f})", flush=True,
                )  # fmt: skip
                what = f"new samples, {name}, {size} a step, {stage.name}"
                found.append(Requirement(what, NEEDED, ratio[0], False))
    return found


if __name__ == "__main__":
    run(__doc__, measure)
