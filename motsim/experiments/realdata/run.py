"""One model on a mixture of tasks made from real data, trained on mini-batches.

A run tunes one step size on the validation split, over the same grid for every model, and reports
the test split at the best look of the best rate; the test split enters no choice.
"""

from typing import Any

import numpy as np

from motsim.experiments.realdata.samples import prepare
from motsim.experiments.realdata.settings import Settings
from motsim.experiments.result import Result
from motsim.extras import require
from motsim.minibatch.fitting import Fit, Phase, fit
from motsim.minibatch.gradients import evaluate
from motsim.minibatch.losses import OutputLoss
from motsim.minibatch.network import (
    Network,
    matched_network,
    num_parameters,
    start_parameters,
    work,
)
from motsim.minibatch.routed import dispatch_shares, routing_measures
from motsim.minibatch.updates import FROZEN, Update
from motsim.mixture.diagnostics import dispatch_entropy
from motsim.mixture.model import Model, ModelParameters, Routing
from motsim.mixture.status import Status
from motsim.randomness import generator
from motsim.realdata.source import SIDES
from motsim.realdata.tasks import Samples
from motsim.realdata.tokens import patch_count

__all__ = ["MODULES", "Settings", "build_network", "compile_kernels", "cost", "run"]

#: Sources whose change makes stored runs of this kind stale.
MODULES = ("sklearn", "mlxtend")
SECONDS = 5e-11  # of one multiplication, about; measured on one 2.6 GHz core
STEP_SECONDS = 8e-5  # of one step, whatever its size, with its share of the looks


def build_network(settings: Settings, num_outputs: int, dim: int) -> Network:
    """Return the model: by default as large as a mixture of transformers of the settings."""
    s = settings
    reference = Network(
        Model("mot", s.num_experts, s.activation, s.num_neurons), num_outputs, s.gate_value
    )
    if s.model == "one":  # the work of one routed expert
        return Network(Model("single", 1, s.activation, s.num_neurons), num_outputs)
    if s.matched:
        return matched_network(s.model, reference, dim)
    return Network(
        Model(s.model, s.num_experts, s.activation, s.num_neurons), num_outputs, s.gate_value
    )


def phases(settings: Settings, network: Network, dim: int, rate: float) -> list[Phase]:
    """Return the stages for one base rate.

    In stage I each expert moves by rate * sqrt(size): as far as under Adam, a rate a number.
    """
    s = settings
    move = Update(rate, s.optimizer)
    gate = Update(rate if s.gate_rate is None else s.gate_rate, s.gate_optimizer)
    if s.schedule == "end_to_end":
        return [Phase("joint", s.steps, move, move, gate)]
    first = round(s.specialize_share * s.steps)
    size = network.num_outputs * network.model.num_neurons * dim
    early = Phase("specialize", first, Update(rate * size**0.5, "normalized_gd"), FROZEN, gate)
    if s.schedule == "two_stage":
        return [early, Phase("joint", s.steps - first, move, move, gate)]
    second = round(s.align_share * s.steps)
    return [
        early,
        Phase("align", second, FROZEN, move, gate),
        Phase("converge", s.steps - first - second, move, FROZEN, gate),
    ]


def compile_kernels() -> None:
    """Check that the extra is there, and compile the kernels."""
    require("data", MODULES)
    tokens, one = np.zeros((1, 1, 1)), np.ones(1, dtype=np.int64)
    samples = Samples(tokens, 0 * one, 0 * one, one, np.zeros((0, 1)), 1)
    network = Network(Model("mot", 1))
    start = start_parameters(network, 1, init_std=1.0, attention_scale=1.0, seed=0)
    joint = Phase("joint", 1, *(Update(0.1, "adam") for _ in range(3)))
    fit(
        network, samples, samples, [joint], start,
        loss="logistic", routing=Routing(), batch_size=1, looks=[],
    )  # fmt: skip


def cost(settings: Settings) -> float:
    """Return about how many seconds a run takes, on one core."""
    s = settings
    length = s.num_tokens + 1
    if s.data in SIDES:
        length = patch_count((SIDES[s.data],) * 2, s.patch) + 1
    network = build_network(s, s.num_outputs, s.dim)
    step = 3 * SECONDS * s.batch_size * work(network, s.dim, length) + STEP_SECONDS
    return len(s.rates) * s.steps * step


def run(settings: Settings) -> Result:
    """Train with every rate, choose by the validation split, measure on the test split."""
    s = settings
    require("data", MODULES)
    parts = prepare(s)
    dim, outputs = parts.train.tokens.shape[2], parts.train.num_outputs
    loss: OutputLoss = s.loss or ("logistic" if outputs == 1 else "cross_entropy")
    network = build_network(s, outputs, dim)
    start = start_parameters(
        network, dim, init_std=s.init_std, attention_scale=s.attention_scale, seed=s.seed
    )
    routing = Routing(s.routing, s.routing_noise, s.routing_scale, s.load_balance)
    fits = [
        fit(
            network, parts.train, parts.validation, phases(s, network, dim, rate), start,
            loss=loss, routing=routing, batch_size=s.batch_size,
            looks=[round(s.steps * k / s.looks) for k in range(1, s.looks)],
            patience=s.patience, seed=s.seed,
        )
        for rate in s.rates
    ]  # fmt: skip
    chosen = min(range(len(fits)), key=lambda k: _merit(fits[k]))
    best = fits[chosen]
    gated = network.model.gated
    curve: dict[str, list[Any]] = {
        "step": best.steps.tolist(),
        "phase": list(best.phases),
        "validation_error": best.validation_error.tolist(),
        "validation_loss": [float(x) if np.isfinite(x) else None for x in best.validation_loss],
    }
    test = parts.test
    scores = [evaluate(network, p, test, loss=loss) for p in best.snapshots]
    shares = [
        dispatch_shares(score.routed, test.tasks, network.model.num_experts, test.num_tasks)
        for score in scores
    ]
    curve["test_error"] = [score.error for score in scores]
    curve["test_loss"] = [score.loss if np.isfinite(score.loss) else None for score in scores]
    final = scores[best.best]
    metrics: dict[str, Any] = {
        "test_error": final.error,
        "test_loss": final.loss,
        "validation_error": float(best.validation_error[best.best]),
        "rate": s.rates[chosen],
        "best_step": int(best.steps[best.best]),
        "num_steps": int(best.steps[-1]),
        "parameters": num_parameters(network, dim),
        "heads": network.model.num_experts,
        "neurons": network.model.num_neurons,
        "work": work(network, dim, parts.train.tokens.shape[1]),
        "train_samples": len(parts.train),
        "test_samples": len(test),
    }
    tables = {"curve": curve, "tuning": _tuning(s, fits)}
    if gated:
        measured = [routing_measures(share) for share in shares]
        for name in ("dispatch_entropy", "used_experts"):
            curve[name] = [m[name] for m in measured]
        metrics |= measured[best.best] | _with_noise(
            s, network, best.parameters, test, loss, routing
        )
        tables["dispatch"] = _dispatch(shares[best.best])
    healthy = any(f.status != Status.DIVERGED for f in fits) and np.isfinite(final.loss)
    return Result(Status.DONE if healthy else Status.DIVERGED, metrics, tables)


def _with_noise(
    s: Settings,
    network: Network,
    parameters: ModelParameters,
    test: Samples,
    loss: OutputLoss,
    routing: Routing,
) -> dict[str, float]:
    """Error and dispatch entropy with the routing noise of training (as arXiv:2208.02813)."""
    experts = network.model.num_experts
    drawn = routing.draw(generator(s.seed, "noise"), (len(test), experts))
    seen = evaluate(network, parameters, test, loss=loss, noise=drawn)
    shares = dispatch_shares(seen.routed, test.tasks, experts, test.num_tasks)
    return {"noisy_error": seen.error, "noisy_entropy": dispatch_entropy(shares)}


def _merit(done: Fit) -> tuple[float, float]:
    """Validation error, then loss, of the best look."""
    return float(done.validation_error[done.best]), float(done.validation_loss[done.best])


def _tuning(s: Settings, fits: list[Fit]) -> dict[str, list[Any]]:
    return {
        "rate": list(s.rates),
        "validation_error": [_merit(done)[0] for done in fits],
        "best_step": [int(done.steps[done.best]) for done in fits],
        "ended": [done.status for done in fits],
    }


def _dispatch(shares: np.ndarray) -> dict[str, list[Any]]:
    index = np.indices(shares.shape).reshape(2, -1)
    return {
        "expert": index[0].tolist(),
        "task": index[1].tolist(),
        "share": shares.ravel().tolist(),
    }
