"""All experts on the sequences routed to them: forward and backward.

With scores T = (X A^T) X^T, one row a query l, weights P = softmax over keys k, and values
Y = X W^T, a neuron's input is u_l = sum_k P_lk Y_k: the neurons are applied before the average
over tokens, which is cheaper than forming z wherever there are fewer neurons than dimensions.
Products with the parameters are taken by BLAS, for a block of an expert's sequences.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motsim.kernel_cache import kernel
from motsim.minibatch.kernels import (
    by_activation,
    gather,
    mix,
    products,
    same_samples,
    softmax,
    softmax_gradient,
    sum_outputs,
)
from motsim.minibatch.network import Network
from motsim.model import ModelParameters
from motsim.realdata.tasks import Samples

__all__ = ["Pass", "run_experts"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Sequences = tuple[Floats, Integers, Floats, Integers]  # see `gather`
TOKENS = 256  # of a block: it stays in cache, and BLAS takes it without rearranging it


@dataclass(frozen=True)
class Pass:
    """What the backward pass needs of a forward pass of P pairs of an expert and a sample.

    Attributes
    ----------
    sequences : tokens (N, L, d), rows (P,), task tokens (T, d), tasks (P,)
    starts : (M + 1,)
        Pairs of expert i are those from starts[i] to starts[i + 1].
    values : (P, L, K)
        X W^T.
    weights : (P, L, L), or (0, L, L) without attention
        Row l holds the attention of query l.
    activations : (P, L, K)
        Input of every neuron at every query.
    """

    sequences: Sequences
    starts: Integers
    values: Floats
    weights: Floats
    activations: Floats

    def add_gradients(
        self,
        network: Network,
        parameters: ModelParameters,
        by_output: Floats,
        into: ModelParameters,
        *,
        with_ffn: bool = True,
        with_attention: bool = True,
    ) -> None:
        """Add the gradients by FFN and attention, from those by the outputs (P, C)."""
        backward(
            self.sequences, self.starts, (parameters.ffn, parameters.attention),
            network.model.activation == "cubic", self.values, self.weights, self.activations,
            by_output, (with_ffn, with_attention), (into.ffn, into.attention),
        )  # fmt: skip


def run_experts(
    network: Network,
    parameters: ModelParameters,
    samples: Samples,
    chosen: Integers,
    counts: Integers,
) -> tuple[Floats, Pass]:
    """Outputs (P, C) of the experts, the first counts[0] samples for expert 0, and so on.

    `chosen` (P,) are places of samples; one may be there for several experts.
    """
    model = network.model
    cubic, attends = model.activation == "cubic", model.num_attentions > 0
    if cubic or attends:
        sequences = samples.tokens, samples.rows[chosen], samples.task_tokens, samples.tasks[chosen]
    else:  # linear in the sum of the tokens
        pooled = samples.sums(chosen)
        place = np.arange(len(chosen))
        sequences = pooled[:, None], place, np.zeros((0, pooled.shape[1])), place
    length = sequences[0].shape[1]
    starts = np.concatenate([[0], np.cumsum(counts)])
    values = np.empty((len(chosen), length, parameters.ffn.shape[1]))
    activations = np.empty_like(values) if attends else values
    weights = np.empty((len(chosen) * attends, length, length))
    outputs = np.empty((len(chosen), network.num_outputs))
    forward(
        sequences, starts, (parameters.ffn, parameters.attention), cubic, values, weights,
        activations, outputs,
    )  # fmt: skip
    return outputs, Pass(sequences, starts, values, weights, activations)


@kernel
def forward(
    sequences: Sequences,
    starts: Integers,
    parameters: tuple[Floats, Floats],
    cubic: bool,
    values: Floats,
    weights: Floats,
    activations: Floats,
    outputs: Floats,
) -> None:
    """Run each expert on its sequences.

    sequences: tokens (N, L, d), rows (P,), task tokens (T, d) and tasks (P,): see `gather`.
    Expert i has the pairs starts[i] to starts[i + 1] of P. parameters: ffn (M, K, d) and attention
    (M or 1 or 0, d, d). Filled in: values (P, L, K), weights (P, L, L) or (0, L, L) without
    attention, activations (P, L, K), which are the values without attention, outputs (P, C).
    """
    tokens, rows, task_tokens, tasks = sequences
    ffn, attention = parameters
    length, dim = tokens.shape[1:]
    neurons, attends = ffn.shape[1], attention.shape[0] > 0
    size = max(1, min(np.diff(starts).max(), TOKENS // length))
    inputs, queries = np.empty((size, length, dim)), np.empty((size * attends, length, dim))
    sums, held = np.empty(neurons), (0, 0)
    for i in range(starts.size - 1):
        for first in range(starts[i], starts[i + 1], size):
            n = min(size, starts[i + 1] - first)
            here = slice(first, first + n)
            if not same_samples(rows, tasks, held, first, n):
                gather(tokens, rows[here], task_tokens, tasks[here], inputs)
                held = first, n
            flat = inputs[:n].reshape(n * length, dim)
            np.dot(flat, ffn[i].T, values[here].reshape(n * length, neurons))
            if attends:
                a = attention[i if attention.shape[0] > 1 else 0]
                np.dot(flat, a.T, queries[:n].reshape(n * length, dim))
                for s in range(n):
                    products(queries[s], inputs[s], weights[first + s])
                softmax(weights[here].reshape(n * length, length))
                for p in range(first, first + n):
                    mix(weights[p], values[p], activations[p], False)
            for p in range(first, first + n):
                sum_outputs(activations[p], cubic, sums, outputs[p])


@kernel
def backward(
    sequences: Sequences,
    starts: Integers,
    parameters: tuple[Floats, Floats],
    cubic: bool,
    values: Floats,
    weights: Floats,
    activations: Floats,
    by_output: Floats,
    wanted: tuple[bool, bool],
    slopes: tuple[Floats, Floats],
) -> None:
    """Add the gradients by ffn and attention to `slopes`, from those by the outputs (P, C).

    The other arguments are those of `forward`, filled in. wanted: which of the two is taken.
    """
    tokens, rows, task_tokens, tasks = sequences
    ffn, attention = parameters
    length, dim = tokens.shape[1:]
    neurons, attends = ffn.shape[1], attention.shape[0] > 0
    size = max(1, min(np.diff(starts).max(), TOKENS // length))
    inputs, mixed = np.empty((size, length, dim)), np.empty((size * attends, length, dim))
    wide, back = np.empty((size, length, neurons)), np.empty((size * attends, length, neurons))
    scores = np.empty((size * attends, length, length))
    by_neuron, held = np.empty(neurons), (0, 0)
    by_ffn, by_attention = np.empty((neurons, dim)), np.empty((dim, dim))
    for i in range(starts.size - 1):
        for first in range(starts[i], starts[i + 1], size):
            n = min(size, starts[i + 1] - first)
            here = slice(first, first + n)
            if not same_samples(rows, tasks, held, first, n):
                gather(tokens, rows[here], task_tokens, tasks[here], inputs)
                held = first, n
            flat = inputs[:n].reshape(n * length, dim)
            for s in range(n):
                by_activation(
                    activations[first + s], cubic, by_output[first + s], by_neuron, wide[s]
                )
            if wanted[0]:
                if attends:
                    for s in range(n):
                        mix(weights[first + s], wide[s], back[s], True)
                by_value = back if attends else wide
                np.dot(by_value[:n].reshape(n * length, neurons).T, flat, by_ffn)
                slopes[0][i] += by_ffn
            if wanted[1] and attends:
                for s in range(n):
                    products(wide[s], values[first + s], scores[s])
                flat_scores = scores[:n].reshape(n * length, length)
                softmax_gradient(weights[here].reshape(n * length, length), flat_scores)
                for s in range(n):
                    mix(scores[s], inputs[s], mixed[s], False)
                np.dot(mixed[:n].reshape(n * length, dim).T, flat, by_attention)
                slopes[1][i if attention.shape[0] > 1 else 0] += by_attention
