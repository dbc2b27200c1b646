"""What the kernels of a step read and write: samples, parameters, settings, buffers.

Parameters are laid out for them: attention A (n, D, D) as it is, the FFN (M, D, K) transposed,
the gate (M, 1, D), where D and K are d and the number of neurons of an expert, padded with zeros
to whole groups of eight. Attention weights P are (L keys, Q queries), Q the padded L.
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
    "NOTHING", "Batch", "Batches", "Block", "Buffers", "Data", "Parameters", "Results", "Rule",
    "Training", "buffers_of", "data_of", "laid_out", "rule_of", "standing", "taken_back",
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


class Batch(NamedTuple):
    """The samples of a step."""

    data: Data
    i_samples: Integers  # (b,): which of the data


class Batches(NamedTuple):
    """The samples of S steps, and their noise."""

    data: Data
    i_samples: Integers  # (S, b)
    noise: Floats  # (S, b, M), or (0, b, M) for none


class Block(NamedTuple):
    """Pairs of one expert and some samples, which are taken together."""

    i_expert: int
    first_pair: int
    num_pairs: int
    is_new: bool  # its sequences are not those of the block before


class Parameters(NamedTuple):
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
    codes: tuple[int, int, int]
    rates: tuple[float, float, float]
    taken: int
    gradient: Parameters
    first: Parameters
    second: Parameters
    losses: Floats


class Results(NamedTuple):
    """What S batches give where they are no steps."""

    outputs: Floats  # (S, b, C)
    routed: Integers  # (S, b): expert of each sample


#: Results that are not asked for.
NOTHING = Results(np.empty((0, 0, 0)), np.empty((0, 0), dtype=np.int64))


class Rule(NamedTuple):
    """Settings that a step follows.

    `pooled`: the experts see only the sum of the tokens, as one token. `everyone`: every expert
    sees every sample. loss: index in `LOSSES`. num_neurons: of an output.
    """

    cubic: bool
    pooled: bool
    gated: bool
    everyone: bool
    by_logit: bool
    loss: int
    num_neurons: int
    routing_scale: float
    load_balance: float
    trains_ffn: bool
    trains_attention: bool


class Buffers(NamedTuple):
    """Arrays that a batch of b samples works in; experts see P pairs of an expert and a sample.

    Attributes
    ----------
    starts : (M + 1,)
        Pairs of expert i are those from starts[i] to starts[i + 1].
    i_in_batch : (P,)
        Index in the batch of each pair's sample.
    routed : (b,)
        Expert of each sample, where only that runs.
    pooled : (b, D)
        Sum of the tokens.
    logits, noisy, gates, choice : (b, M)
        Of the gate: logits h, with noise, as probabilities pi, as probabilities q of routing.
    by_gate : (b, G)
        Gradient by the logits, G the padded M; before it, logits, then the gradient by pi.
    gate_across : (D, G)
        The gate transposed.
    load : (M,)
        Share of the batch that each expert serves.
    values, activations : (P, L, K)
        Y = X W^T, and the input u of every neuron at every query; equal without attention.
    attention_probs : (P, L, Q)
        P, transposed: keys before queries.
    outputs, by_output : (P, C)
        f of the pairs, and the gradient of the loss by it.
    final : (b, C)
        Sum over heads, without a gate.
    inputs, inputs_across
        Of one block: sequences X (., L, D), and transposed (., D, Q).
    moved : (., L, D)
        X A, then the queries weighted by `by_score`.
    by_activation, by_value : (., L, K)
        Gradients by u and by Y.
    by_score : (L, Q)
        Of one pair: gradient by P, then by the scores.
    sums : (K,)
        Of one pair: over tokens.
    """

    starts: Integers
    i_in_batch: Integers
    routed: Integers
    pooled: Floats
    logits: Floats
    noisy: Floats
    gates: Floats
    choice: Floats
    by_gate: Floats
    gate_across: Floats
    load: Floats
    values: Floats
    activations: Floats
    attention_probs: Floats
    outputs: Floats
    by_output: Floats
    final: Floats
    inputs: Floats
    inputs_across: Floats
    moved: Floats
    by_activation: Floats
    by_value: Floats
    by_score: Floats
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
    """Return the settings as the kernels take them; every part trains."""
    model, routing = network.model, routing or Routing("sampled")
    return Rule(
        cubic=model.activation == "cubic",
        pooled=model.activation == "linear" and model.num_attentions == 0,
        gated=model.gated,
        everyone=not model.gated or routing.mode == "expected",
        by_logit=network.gate_value == "logit",
        loss=LOSSES.index(loss),
        num_neurons=model.num_neurons,
        routing_scale=float(routing.scale),
        load_balance=float(routing.load_balance),
        trains_ffn=True,
        trains_attention=True,
    )


def laid_out(parameters: ModelParameters) -> Parameters:
    """Return a copy for the kernels."""
    experts, neurons, dim = parameters.ffn.shape
    wide = padded(dim)
    found = Parameters(
        aligned_zeros((experts, wide, padded(neurons))),
        aligned_zeros((len(parameters.attention), wide, wide)),
        aligned_zeros((len(parameters.gate), 1, wide)),
    )
    found.ffn[:, :dim, :neurons] = parameters.ffn.transpose(0, 2, 1)
    found.attention[:, :dim, :dim] = parameters.attention
    found.gate[:, 0, :dim] = parameters.gate
    return found


def taken_back(laid: Parameters, like: ModelParameters) -> ModelParameters:
    """Return a copy in the shapes of `like`."""
    _, neurons, dim = like.ffn.shape
    return ModelParameters(
        np.ascontiguousarray(laid.ffn[:, :dim, :neurons].transpose(0, 2, 1)),
        laid.attention[:, :dim, :dim].copy(),
        laid.gate[:, 0, :dim].copy(),
    )


def standing(gradient: Parameters) -> Training:
    """Return steps that take gradients, and do not move."""
    frozen, still = (-1, -1, -1), (0.0, 0.0, 0.0)
    return Training(True, frozen, still, 0, gradient, gradient, gradient, np.empty(1))


def buffers_of(network: Network, rule: Rule, samples: Samples, batch: int) -> Buffers:
    """Buffers for batches of so many samples."""
    model, outputs = network.model, network.num_outputs
    experts, attends, dim = model.num_experts, model.num_attentions > 0, samples.tokens.shape[2]
    pairs = experts * batch if rule.everyone else batch
    length = 1 if rule.pooled else samples.tokens.shape[1]
    wide, neurons, queries = padded(dim), padded(rule.num_neurons * outputs), padded(length)
    size = max(1, min(batch, TOKENS // length))
    gated = rule.gated * batch
    return Buffers(
        starts=np.zeros(experts + 1, dtype=np.int64),
        i_in_batch=np.zeros(pairs, dtype=np.int64),
        routed=np.zeros(batch, dtype=np.int64),
        pooled=aligned_zeros((batch, wide)),
        logits=aligned_zeros((gated, experts)),
        noisy=aligned_zeros((gated, experts)),
        gates=aligned_zeros((gated, experts)),
        choice=aligned_zeros((gated, experts)),
        by_gate=aligned_zeros((gated, padded(experts))),
        gate_across=aligned_zeros((wide, padded(experts))),
        load=aligned_zeros(experts),
        values=aligned_zeros((attends * pairs, length, neurons)),
        activations=aligned_zeros((pairs, length, neurons)),
        attention_probs=aligned_zeros((attends * pairs, length, queries)),
        outputs=aligned_zeros((pairs, outputs)),
        by_output=aligned_zeros((pairs, outputs)),
        final=aligned_zeros((batch, outputs)),
        inputs=aligned_zeros((size, length, wide)),
        inputs_across=aligned_zeros((size, wide, queries)),
        moved=aligned_zeros((size, length, wide)),
        by_activation=aligned_zeros((size, length, neurons)),
        by_value=aligned_zeros((size, length, neurons)),
        by_score=aligned_zeros((length, queries)),
        sums=aligned_zeros(neurons),
    )
