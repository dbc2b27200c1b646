"""All experts on the sequences routed to them: forward and backward."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motsim.minibatch.kernels import backward, forward
from motsim.minibatch.network import Network
from motsim.model import ModelParameters
from motsim.realdata.tasks import Samples

__all__ = ["Pass", "run_experts"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


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

    sequences: tuple[Floats, Integers, Floats, Integers]
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
