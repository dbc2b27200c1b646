"""Loss and gradients of a whole model on a batch; only the routed experts run."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motsim.minibatch.experts import Pass, run_experts
from motsim.minibatch.kernels import softmax
from motsim.minibatch.losses import OutputLoss, loss_and_gradient, wrong
from motsim.minibatch.network import Network
from motsim.model import ModelParameters, Routing
from motsim.realdata.tasks import Samples

__all__ = ["Scores", "evaluate", "gradients"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
CHUNK = 512  # samples that experts see in an evaluation, at a time


@dataclass(frozen=True)
class Scores:
    """What a model does with some samples.

    Attributes
    ----------
    error, loss : float
        Share misclassified; mean loss.
    wrong : (s,) bool
    routed : (s,) int64
        Expert of each sample; all 0 for `single`.
    """

    error: float
    loss: float
    wrong: NDArray[np.bool_]
    routed: Integers


def gradients(
    network: Network,
    parameters: ModelParameters,
    samples: Samples,
    chosen: Integers,
    *,
    loss: OutputLoss,
    routing: Routing,
    noise: Floats | None = None,
    with_ffn: bool = True,
    with_attention: bool = True,
) -> tuple[float, ModelParameters]:
    """Mean loss of a batch and its gradients, routing included.

    Parameters
    ----------
    network, parameters
    samples : Samples
    chosen : (b,) array
        Places of the batch's samples.
    loss : {"squared", "logistic", "cross_entropy"}
    routing : Routing
        `sampled`: the expert is the argmax of the noisy logits, and only it runs. `expected`: all
        experts run, each sample's losses weighted by the routing probabilities of Gumbel noise,
        which are held constant in the gradient.
    noise : (b, M) array, optional
        Added to the logits when routing is sampled.
    with_ffn, with_attention : bool
        False leaves that gradient zero and saves its work.
    """
    model, batch = network.model, len(chosen)
    zeros = ModelParameters(*(np.zeros_like(a) for a in vars(parameters).values()))
    wanted = {"with_ffn": with_ffn, "with_attention": with_attention}
    if not model.gated:
        outputs, done = _heads(network, parameters, samples, chosen)
        losses, slope = loss_and_gradient(outputs, samples.targets[chosen], loss)
        slope /= batch
        done.add_gradients(
            network, parameters, np.tile(slope, (model.num_experts, 1)), zeros, **wanted
        )
        return float(losses.mean()), zeros
    pooled = samples.sums(chosen)
    logits = pooled @ parameters.gate.T
    noisy = logits if noise is None else logits + noise
    probabilities = _softmax(logits)
    if routing.mode == "expected":
        rows, counts = np.tile(np.arange(batch), model.num_experts), _all(model.num_experts, batch)
        weights = _softmax(logits / routing.scale).T.ravel() / batch
    else:
        rows, counts = _by_expert(noisy.argmax(axis=1), model.num_experts)
        weights = np.full(batch, 1.0 / batch)
    experts = np.repeat(np.arange(model.num_experts), counts)
    outputs, done = run_experts(network, parameters, samples, chosen[rows], counts)
    value = (probabilities if network.gate_value == "probability" else noisy)[rows, experts, None]
    targets = samples.targets[chosen[rows]]
    losses, slope = loss_and_gradient(value * outputs, targets, loss)
    total = float(weights @ losses)
    slope *= weights[:, None]
    by_value = np.zeros_like(logits)
    by_value[rows, experts] = (slope * outputs).sum(axis=1)
    slope *= value
    done.add_gradients(network, parameters, slope, zeros, **wanted)
    if routing.load_balance:  # M sum_i fraction_i mean(pi_i), fractions held constant
        load = np.bincount(experts, weights, minlength=model.num_experts)
        pull = routing.load_balance * model.num_experts * load
        total += float(pull @ probabilities.mean(axis=0))
    if network.gate_value == "probability":  # d pi_i / d h_j = pi_i (delta_ij - pi_j)
        by_value *= probabilities
        by_value -= probabilities * by_value.sum(axis=1, keepdims=True)
    if routing.load_balance:
        by_value += probabilities * (pull - probabilities @ pull[:, None]) / batch
    np.matmul(by_value.T, pooled, out=zeros.gate)
    return total, zeros


@np.errstate(over="ignore", invalid="ignore")  # of a diverged model: a loss that is not finite
def evaluate(
    network: Network,
    parameters: ModelParameters,
    samples: Samples,
    *,
    loss: OutputLoss,
    noise: Floats | None = None,
) -> Scores:
    """Loss, error and routing of samples; without noise, or with noise (s, M) as in training."""
    outputs = np.empty((len(samples), network.num_outputs))
    routed = np.zeros(len(samples), dtype=np.int64)
    size = CHUNK if network.model.gated else max(1, CHUNK // network.model.num_experts)
    for start in range(0, len(samples), size):
        chosen = np.arange(start, min(start + size, len(samples)))
        if not network.model.gated:
            outputs[chosen] = _heads(network, parameters, samples, chosen)[0]
            continue
        logits = samples.sums(chosen) @ parameters.gate.T
        noisy = logits if noise is None else logits + noise[chosen]
        routed[chosen] = noisy.argmax(axis=1)
        value_of = _softmax(logits) if network.gate_value == "probability" else noisy
        rows, counts = _by_expert(routed[chosen], network.model.num_experts)
        found, _ = run_experts(network, parameters, samples, chosen[rows], counts)
        outputs[chosen[rows]] = value_of[rows, routed[chosen[rows]], None] * found
    losses, _ = loss_and_gradient(outputs, samples.targets, loss)
    missed = wrong(outputs, samples.targets)
    return Scores(float(missed.mean()), float(losses.mean()), missed, routed)


def _softmax(logits: Floats) -> Floats:
    """Probabilities (n, M)."""
    found = logits.copy()
    softmax(found)
    return found


def _by_expert(routed: Integers, num_experts: int) -> tuple[Integers, Integers]:
    """Samples in the order of their experts, and how many each expert has."""
    return np.argsort(routed, kind="stable"), np.bincount(routed, minlength=num_experts)


def _all(num_experts: int, size: int) -> Integers:
    """How many samples each expert has if all see all."""
    return np.full(num_experts, size)


def _heads(
    network: Network, parameters: ModelParameters, samples: Samples, chosen: Integers
) -> tuple[Floats, Pass]:
    """Sum of the outputs (n, C) of all heads."""
    heads, size = network.model.num_experts, len(chosen)
    found, done = run_experts(
        network, parameters, samples, np.tile(chosen, heads), _all(heads, size)
    )
    return found.reshape(heads, size, -1).sum(axis=0), done
