"""Seconds an epoch of routed experts on a finite sample, against dense PyTorch; run from the root.

    python tests/benchmarks/routed.py [--quick]

The setting of Chen et al. (docs/theory.md): 16,000 samples of 4 tokens in d = 50 dimensions, eight
cubic experts of J = 16 neurons without attention, logistic loss, top-1 routing by uniform noise,
normalized descent on the experts and descent on the gate. An epoch is one step on all samples, its
noise drawn anew. The PyTorch program is the usual dense one: every expert runs on every sample and
the routing selects; one compiled graph a step. motsim has two programs for it, `training.train`
and `minibatch`. Losses are compared on the same noise.
"""

from dataclasses import replace
from functools import partial

import numpy as np
from machine import HAS_TORCH, NO_TORCH, say, timed
from part import Requirement, run
from programs import train
from step import step_counts, step_seconds, typical

from motsim.experiments.mixture.run import Settings, build_model, prepare, stages
from motsim.minibatch import FROZEN, Network, Update
from motsim.minibatch.stretches import Descent
from motsim.mixture.training import warm_up
from motsim.randomness import generator
from motsim.realdata.tasks import Samples

if HAS_TORCH:
    import torch

SETTINGS = {
    "model": "moe", "num_classes": 4, "num_tokens": 4, "dim": 50, "noise_std": 1.0,
    "class_amplitude": (1.0, 2.0), "signal_amplitude": (0.5, 2.0),
    "distractor_amplitude": (0.5, 3.0), "sample_size": 16_000, "num_experts": 8,
    "num_neurons": 16, "loss": "logistic", "routing": "sampled", "routing_noise": "uniform",
    "routing_scale": 1.0, "init_std": 0.01, "specialize_rate": 0.05, "gate_rate": 0.1,
}  # fmt: skip
NEEDED, TOLERANCE = 5.0, 1e-9
STREAMS = ("sampling", "routing")
COMPARED_STEPS, ROUNDS, TARGET_SECONDS = 30, 5, 1.0


def by_engine(settings, points, start, steps):
    """Noise-free expected loss before each step, by `training.train`; parameters at the end."""
    stage = replace(stages(settings)[0], steps=steps)
    trace = train(
        build_model(settings),
        points,
        [stage],
        start,
        loss=settings.loss,
        trace_points=2 * steps + 2,
    )
    return trace.trace_losses[:steps], trace.parameters


def by_minibatch(settings, points, start, steps):
    """Parameters at the end, by steps of `minibatch` on all samples, in a new order each epoch."""
    stage, size, model = stages(settings)[0], len(points.labels), build_model(settings)
    samples = Samples(
        points.tokens, np.arange(size), points.classes, points.labels.astype(np.int64),
        np.zeros((0, points.tokens.shape[2])), 1,
    )  # fmt: skip
    descent = Descent(Network(model), samples, start, settings.loss, stage.routing, size, seed=0)
    descent.begin(Update(stage.ffn.rate, "normalized_gd"), FROZEN, Update(stage.gate.rate))
    descent.run(steps)
    return descent.parameters


def minibatch_noise(settings, size):
    """Return what draws the noise (M, P) of each step of `by_minibatch`, sample by sample."""
    routing, order, rng = stages(settings)[0].routing, *map(partial(generator, 0), STREAMS)

    def drawn():
        places = order.permutation(size)
        noise = np.empty((size, settings.num_experts))
        noise[places] = routing.draw(rng, noise.shape)
        return torch.from_numpy(noise.T.copy())

    return drawn


def dense_step(rates):
    """Return the compiled step: (w, gate, tokens (d, L * P), ...) -> (w, gate, noise-free loss).

    Points come last: a tenth faster than points first.
    """
    ffn_rate, gate_rate = rates

    def objective(w, gate, columns, sums, labels, noise):
        experts, neurons, dim = w.shape
        u = (w.reshape(-1, dim) @ columns).reshape(experts, neurons, -1, len(labels))
        h = gate @ sums
        outputs = torch.softmax(h, 0) * (u**3).sum((1, 2))
        routed = outputs.gather(0, (h + noise).argmax(0, keepdim=True))[0]
        quiet = outputs.gather(0, h.argmax(0, keepdim=True))[0]
        loss, expected = (
            torch.nn.functional.softplus(-labels * f).mean() for f in (routed, quiet.detach())
        )
        return loss, expected

    slope = torch.func.grad(objective, (0, 1), has_aux=True)

    def step(w, gate, *data):
        (g, g_gate), losses = slope(w, gate, *data)
        norm = (g**2).sum((1, 2), keepdim=True).sqrt()
        g = g / torch.where(norm > 0, norm, 1.0)
        return w - ffn_rate * g, gate - gate_rate * g_gate, losses

    return torch.compile(step, fullgraph=True, dynamic=False)


def by_torch(settings, points, start, steps, step, noise_of):
    """Noise-free losses before each step, and the parameters at the end."""
    tokens, labels = torch.from_numpy(points.tokens), torch.from_numpy(points.labels)
    sums, columns = tokens.sum(1).T.contiguous(), tokens.permute(2, 1, 0).flatten(1).contiguous()
    w, gate, losses = torch.tensor(start.ffn), torch.tensor(start.gate), []
    with torch.no_grad():
        for _ in range(steps):
            w, gate, found = step(w, gate, columns, sums, labels, noise_of())
            losses.append(found)
        return torch.stack(losses).numpy(), (w.numpy(), gate.numpy())


def measure(quick):
    """Print seconds an epoch of each program; return the requirements."""
    warm_up()
    settings = Settings(**SETTINGS | ({"sample_size": 2000} if quick else {}))
    points, start = prepare(settings)
    size = len(points.labels)
    data = (settings, points, start)
    stage, found = stages(settings)[0], []
    programs = {
        "motsim, training.train": lambda n: by_engine(*data, n),
        "motsim, minibatch": lambda n: by_minibatch(*data, n),
    }
    if HAS_TORCH:
        step = dense_step((stage.ffn.rate, stage.gate.rate))
        # motsim's stream, expert by expert
        rng = generator(0, "routing")
        drawn = lambda: torch.from_numpy(  # noqa: E731
            stage.routing.draw(rng, (settings.num_experts, size))
        )
        say("comparing losses")
        (losses, (w, gate)), taken = timed(lambda: by_torch(*data, COMPARED_STEPS, step, drawn))
        quiet, value = by_engine(*data, COMPARED_STEPS)
        pairs = [(quiet, losses), (value.ffn, w), (value.gate, gate)]
        drawn = minibatch_noise(settings, size)
        _, (w, gate) = by_torch(*data, COMPARED_STEPS, step, drawn)
        value = by_minibatch(*data, COMPARED_STEPS)
        pairs += [(value.ffn, w), (value.gate, gate)]
        apart = max(np.abs(a - b).max() / np.abs(b).max() for a, b in pairs)
        found.append(Requirement("routed: losses and parameters", TOLERANCE, apart, False))
        print(f"PyTorch: first {COMPARED_STEPS} steps {taken[0]:.1f} s, compilation included")
        shape = (settings.num_experts, size)
        random = lambda: torch.rand(shape, dtype=torch.float64)  # noqa: E731
        programs["PyTorch, dense"] = lambda n: by_torch(*data, n, step, random)
    seconds = {label: [] for label in programs}
    runs = {
        label: lambda n, p=program: timed(lambda: p(n))[1] for label, program in programs.items()
    }
    counts = {label: step_counts(seconds_of, TARGET_SECONDS) for label, seconds_of in runs.items()}
    for turn in range(1 if quick else ROUNDS):
        say(f"routed: round {turn + 1}")
        for label, seconds_of in runs.items():
            seconds[label].append(step_seconds(seconds_of, counts[label]))
    length, dim = points.tokens.shape[1:]
    print(f"{size} samples of {length} tokens, d={dim}, M={settings.num_experts},")
    print(f"J={settings.num_neurons}; wall ms an epoch (processor ms), and PyTorch's time by it")
    for label, rows in seconds.items():
        wall, spent = 1e3 * typical(rows)
        line = f"  {label:26}{wall:9.1f} ({spent:8.1f})"
        if HAS_TORCH and label.startswith("motsim"):
            ratio = typical(seconds["PyTorch, dense"]) / typical(rows)
            line += f"  {ratio[0]:6.1f} {ratio[1]:6.1f}"
            found.append(
                Requirement(
                    f"routed: {label}, dense PyTorch", NEEDED, ratio[0],
                    note=f"by processor time {ratio[1]:.1f}",
                )
            )  # fmt: skip
        print(line)
    if not HAS_TORCH:
        print(NO_TORCH)
    return found


if __name__ == "__main__":
    run(__doc__, measure)
