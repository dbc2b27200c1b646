"""The passes of `motsim.minibatch.passes` by themselves, on pairs of an expert and a sample."""

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from motsim.minibatch.arguments import (
    Batch,
    Buffers,
    Parameters,
    Rule,
    buffers_of,
    data_of,
    laid_out,
    rule_of,
    taken_back,
)
from motsim.minibatch.network import Network, zeros_like
from motsim.minibatch.passes import backward, forward
from motsim.mixture.model import ModelParameters
from motsim.realdata.tasks import Samples

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Pass:
    """What the backward pass needs of a forward pass: see `arguments`."""

    batch: Batch
    rule: Rule
    buffers: Buffers

    def add_gradients(
        self,
        network: Network,
        parameters: ModelParameters,
        by_output: Floats,
        into: ModelParameters,
    ) -> None:
        """Add the gradients by FFN and attention, from those by the outputs (P, C)."""
        gradient = laid_out(zeros_like(parameters))
        self.buffers.by_output[:] = by_output
        run_backward(self.batch, self.rule, self.buffers, gradient)
        found = taken_back(gradient, parameters)
        into.ffn[...] += found.ffn
        into.attention[...] += found.attention


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
    rule = rule_of(network)._replace(everyone=False)
    batch = Batch(data_of(samples), chosen)
    buffers = buffers_of(network, rule, samples, len(chosen))
    buffers.starts[1:] = np.cumsum(counts)
    buffers.i_in_batch[:] = np.arange(len(chosen))
    if rule.pooled:
        buffers.pooled[:, : batch.data.tokens.shape[2]] = samples.sums(chosen)
    run_forward(laid_out(parameters), batch, rule, buffers)
    return buffers.outputs, Pass(batch, rule, buffers)


@numba.njit(error_model="numpy")
def run_forward(parameters: Parameters, batch: Batch, rule: Rule, buffers: Buffers) -> None:
    """`passes.forward`, for a caller in Python."""
    forward(parameters, batch, rule, buffers)


@numba.njit(error_model="numpy")
def run_backward(batch: Batch, rule: Rule, buffers: Buffers, gradient: Parameters) -> None:
    """`passes.backward`, for a caller in Python."""
    backward(batch, rule, buffers, gradient)
