"""The passes of `motsim.minibatch.passes` by themselves, on pairs of an expert and a sample."""

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from motsim.minibatch.arguments import (
    Data,
    Rule,
    Weights,
    Work,
    data_of,
    laid_out,
    rule_of,
    taken_back,
    workspace,
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

    data: Data
    rule: Rule
    members: Integers
    work: Work

    def add_gradients(
        self,
        network: Network,
        parameters: ModelParameters,
        by_output: Floats,
        into: ModelParameters,
    ) -> None:
        """Add the gradients by FFN and attention, from those by the outputs (P, C)."""
        gradient = laid_out(zeros_like(parameters))
        self.work.slopes[:] = by_output
        run_backward(self.data, self.rule, self.members, self.work, gradient)
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
    data, work = data_of(samples), workspace(network, rule, samples, len(chosen))
    work.starts[1:] = np.cumsum(counts)
    work.place[:] = np.arange(len(chosen))
    if rule.pooled:
        work.pooled[:, : data.tokens.shape[2]] = samples.sums(chosen)
    run_forward(data, laid_out(parameters), rule, chosen, work)
    return work.outputs, Pass(data, rule, chosen, work)


@numba.njit(error_model="numpy")
def run_forward(data: Data, weights: Weights, rule: Rule, members: Integers, work: Work) -> None:
    """`passes.forward`, for a caller in Python."""
    forward(data, weights, rule, members, work)


@numba.njit(error_model="numpy")
def run_backward(data: Data, rule: Rule, members: Integers, work: Work, gradient: Weights) -> None:
    """`passes.backward`, for a caller in Python."""
    backward(data, rule, members, True, True, work, gradient)
