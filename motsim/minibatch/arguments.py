"""What the kernels of a step read and write: samples, parameters, settings, workspace.

Parameters are laid out for them: attention A (n, D, D) as it is, the FFN (M, D, K) transposed,
the gate (M, 1, D), where D and K are d and the number of neurons of an expert, padded with zeros
to whole groups of eight. Attention weights are (L keys, Q queries), Q the padded L.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from motsim.minibatch.losses import LOSSES, OutputLoss
from motsim.minibatch.network import Network
from motsim.minibatch.tiles import padded
from motsim.mixture.engine.layout import aligned_zeros
from motsim.mixture.model import ModelParameters, Routing
from motsim.realdata.tasks import Samples

__all__ = [
    "Data", "Rule", "Training", "Weights", "Work", "data_of", "laid_out", "rule_of", "taken_back",
    "workspace",
]  # fmt: skip

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
TOKENS = 64  # of a block of an expert's sequences: what it needs stays in the cache


class Data(NamedTuple):
    """Samples (s,) of sequences (n, L, d): see `realdata.tasks.Samples`."""

    tokens: Floats
    token_sums: Floats
    task_tokens: Floats
    rows: Integers
    tasks: Integers
    targets: Integers


class Weights(NamedTuple):
    """Parameters, gradients or moments, laid out for the kernels."""

    ffn: Floats
    attention: Floats
    gate: Floats


class Training(NamedTuple):
    """How steps are taken, after `taken` of the same rules, and what they fill.

    codes, rates: of FFN, attention and gate, see `updates.move`; first, second: Adam's moments.
    losses: (S,), or (0,) where not on.
    """

    on: bool
    with_ffn: bool
    with_attention: bool
    codes: tuple[int, int, int]
    rates: tuple[float, float, float]
    taken: int
    gradient: Weights
    first: Weights
    second: Weights
    losses: Floats


class Rule(NamedTuple):
    """Settings that a step follows.

    `pooled`: the experts see only the sum of the tokens, as one token. `everyone`: every expert
    sees every sample. loss: place in `LOSSES`. each: neurons an output.
    """

    cubic: bool
    pooled: bool
    gated: bool
    everyone: bool
    by_logit: bool
    loss: int
    each: int
    scale: float
    load_balance: float


class Work(NamedTuple):
    """Room for a batch of b samples, of which experts see P pairs of an expert and a sample.

    Attributes
    ----------
    starts : (M + 1,)
        Pairs of expert i are those from starts[i] to starts[i + 1].
    place : (P,)
        Place in the batch of each pair's sample.
    routed : (b,)
        Expert of each sample, where only that runs.
    pooled : (b, D)
        Sum of the tokens.
    logits, noisy, chances, shares : (b, M)
        Of the gate: logits, with noise, as probabilities, as probabilities of routing.
    by_gate : (b, G)
        Gradient by the logits, G the padded M; before it, logits.
    gate_columns : (D, G)
        The gate transposed.
    load : (M,)
        Share of the batch that each expert serves.
    values, activations : (P, L, K)
        X W^T, and the input of every neuron at every query; equal without attention.
    weights : (P, L, Q)
    outputs, slopes : (P, C)
        Of the pairs, and the gradient of the loss by them.
    final : (b, C)
        Sum over heads, without a gate.
    inputs, columns, keys, wide, back, scores, sums
        Of one block: sequences, transposed sequences, and what is made of them.
    """

    starts: Integers
    place: Integers
    routed: Integers
    pooled: Floats
    logits: Floats
    noisy: Floats
    chances: Floats
    shares: Floats
    by_gate: Floats
    gate_columns: Floats
    load: Floats
    values: Floats
    activations: Floats
    weights: Floats
    outputs: Floats
    slopes: Floats
    final: Floats
    inputs: Floats
    columns: Floats
    keys: Floats
    wide: Floats
    back: Floats
    scores: Floats
    sums: Floats


def data_of(samples: Samples) -> Data:
    """Return the samples as the kernels take them."""
    tokens, sums, task_tokens = (
        np.ascontiguousarray(a, dtype=np.float64)
        for a in (samples.tokens, samples.token_sums, samples.task_tokens)
    )
    rows, tasks, targets = (
        np.ascontiguousarray(a, dtype=np.int64)
        for a in (samples.rows, samples.tasks, samples.targets)
    )
    return Data(tokens, sums, task_tokens, rows, tasks, targets)


def rule_of(network: Network, loss: OutputLoss = "squared", routing: Routing | None = None) -> Rule:
    """Return the settings as the kernels take them."""
    model, routing = network.model, routing or Routing("sampled")
    return Rule(
        cubic=model.activation == "cubic",
        pooled=model.activation == "linear" and model.num_attentions == 0,
        gated=model.gated,
        everyone=not model.gated or routing.mode == "expected",
        by_logit=network.gate_value == "logit",
        loss=LOSSES.index(loss),
        each=model.num_neurons,
        scale=float(routing.scale),
        load_balance=float(routing.load_balance),
    )


def laid_out(parameters: ModelParameters) -> Weights:
    """Return a copy for the kernels."""
    experts, neurons, dim = parameters.ffn.shape
    wide = padded(dim)
    found = Weights(
        aligned_zeros((experts, wide, padded(neurons))),
        aligned_zeros((len(parameters.attention), wide, wide)),
        aligned_zeros((len(parameters.gate), 1, wide)),
    )
    found.ffn[:, :dim, :neurons] = parameters.ffn.transpose(0, 2, 1)
    found.attention[:, :dim, :dim] = parameters.attention
    found.gate[:, 0, :dim] = parameters.gate
    return found


def taken_back(weights: Weights, like: ModelParameters) -> ModelParameters:
    """Return a copy in the shapes of `like`."""
    _, neurons, dim = like.ffn.shape
    return ModelParameters(
        np.ascontiguousarray(weights.ffn[:, :dim, :neurons].transpose(0, 2, 1)),
        weights.attention[:, :dim, :dim].copy(),
        weights.gate[:, 0, :dim].copy(),
    )


def standing(gradient: Weights, with_ffn: bool = True, with_attention: bool = True) -> Training:
    """Return steps that take gradients, and do not move."""
    frozen, still = (-1, -1, -1), (0.0, 0.0, 0.0)
    return Training(
        True, with_ffn, with_attention, frozen, still, 0, gradient, gradient, gradient, np.empty(1)
    )


def workspace(network: Network, rule: Rule, samples: Samples, batch: int) -> Work:
    """Room for batches of so many samples."""
    model, outputs = network.model, network.num_outputs
    experts, attends, dim = model.num_experts, model.num_attentions > 0, samples.tokens.shape[2]
    pairs = experts * batch if rule.everyone else batch
    length = 1 if rule.pooled else samples.tokens.shape[1]
    wide, neurons, queries = padded(dim), padded(rule.each * outputs), padded(length)
    size = max(1, min(batch, TOKENS // length))
    gated = rule.gated * batch
    return Work(
        starts=np.zeros(experts + 1, dtype=np.int64),
        place=np.zeros(pairs, dtype=np.int64),
        routed=np.zeros(batch, dtype=np.int64),
        pooled=aligned_zeros((batch, wide)),
        logits=aligned_zeros((gated, experts)),
        noisy=aligned_zeros((gated, experts)),
        chances=aligned_zeros((gated, experts)),
        shares=aligned_zeros((gated, experts)),
        by_gate=aligned_zeros((gated, padded(experts))),
        gate_columns=aligned_zeros((wide, padded(experts))),
        load=aligned_zeros(experts),
        values=aligned_zeros((attends * pairs, length, neurons)),
        activations=aligned_zeros((pairs, length, neurons)),
        weights=aligned_zeros((attends * pairs, length, queries)),
        outputs=aligned_zeros((pairs, outputs)),
        slopes=aligned_zeros((pairs, outputs)),
        final=aligned_zeros((batch, outputs)),
        inputs=aligned_zeros((size, length, wide)),
        columns=aligned_zeros((size, wide, queries)),
        keys=aligned_zeros((size, length, wide)),
        wide=aligned_zeros((size, length, neurons)),
        back=aligned_zeros((size, length, neurons)),
        scores=aligned_zeros((length, queries)),
        sums=aligned_zeros(neurons),
    )
