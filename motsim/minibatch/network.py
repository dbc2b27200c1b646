"""Architecture of a model with one or C outputs, and models of equal size."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from motsim.checks import check_choice, check_integer
from motsim.mixture.model import Kind, Model, ModelParameters, initial_parameters

__all__ = [
    "GATE_VALUES",
    "Network",
    "matched_network",
    "num_parameters",
    "start_parameters",
    "work",
    "zeros_like",
]

GateValue = Literal["probability", "logit"]
GATE_VALUES = ("probability", "logit")
KINDS = ("mot", "single", "moe", "shared")
TOLERANCE = 0.02  # within which a model with the same number of experts counts as equally large


@dataclass(frozen=True)
class Network:
    """A model, its outputs, and what the gate multiplies an expert's output with.

    Parameters
    ----------
    model : Model
        `num_neurons` is the number of neurons an output; `top_k` must be 1.
    num_outputs : int
        C >= 1. 1: labels -1 and +1; else C logits.
    gate_value : {"probability", "logit"}
        F = pi_m f_m, or F = h_m f_m with the raw logit (noisy in training; arXiv:2208.02813).
    """

    model: Model
    num_outputs: int = 1
    gate_value: GateValue = "probability"

    def __post_init__(self) -> None:
        check_integer("num_outputs", self.num_outputs, 1)
        check_choice("gate_value", self.gate_value, GATE_VALUES)
        if self.model.top_k != 1:
            raise ValueError(f"top_k must be 1 for mini-batches; got {self.model.top_k}")


def num_parameters(network: Network, dim: int) -> int:
    """Numbers that training can change: FFN, attention and gate."""
    model = network.model
    ffn = model.num_experts * network.num_outputs * model.num_neurons * dim
    gate = model.num_experts * dim if model.gated else 0
    return ffn + model.num_attentions * dim**2 + gate


def work(network: Network, dim: int, length: int) -> int:
    """Multiplications of one forward pass of one sequence of L tokens, only routed experts."""
    model = network.model
    neurons = network.num_outputs * model.num_neurons
    each = length * dim * neurons
    if model.num_attentions:
        each += length * dim**2 + length**2 * (dim + neurons)
    return model.num_experts * dim + each if model.gated else model.num_experts * each


def matched_network(kind: Kind, reference: Network, dim: int) -> Network:
    """Return a model of another kind with nearly as many parameters as the reference.

    The number of experts (heads) stays if some number of neurons then comes within 2 %; else the
    number of experts and neurons that comes nearest, with the number of experts nearest to the
    reference's among equals. The FFN keeps at least one neuron an output.

    >>> reference = Network(Model("mot", num_experts=8, num_neurons=4))
    >>> num_parameters(reference, 24)
    5568
    >>> matched = [matched_network(kind, reference, 24) for kind in ("single", "moe", "shared")]
    >>> [(m.model.num_experts, m.model.num_neurons) for m in matched]
    [(8, 5), (8, 28), (8, 25)]
    >>> [num_parameters(m, 24) for m in matched]
    [5568, 5568, 5568]
    """
    check_choice("model", kind, KINDS)
    wanted, experts = num_parameters(reference, dim), reference.model.num_experts
    if kind == reference.model.kind:
        return reference
    best: tuple[float, int, Network] | None = None
    for count in sorted(range(1, 2 * experts + 1), key=lambda m: (abs(m - experts), -m)):
        model = replace(reference.model, kind=kind, num_experts=count, num_neurons=1)
        bare = num_parameters(replace(reference, model=model), dim)
        each = count * reference.num_outputs * dim
        neurons = max(1, round((wanted - bare) / each) + 1)
        found = replace(reference, model=replace(model, num_neurons=neurons))
        gap = abs(num_parameters(found, dim) / wanted - 1.0)
        if best is None or (best[0] > TOLERANCE and gap < best[0]):
            best = (gap, count, found)
    assert best is not None
    return best[2]


def start_parameters(
    network: Network, dim: int, *, init_std: float, attention_scale: float, seed: int
) -> ModelParameters:
    """FFN (M, C·J, d) normal, attention kappa times the identity, gate zero."""
    wide = replace(network.model, num_neurons=network.model.num_neurons * network.num_outputs)
    start = initial_parameters(
        wide, dim, init_std=init_std, attention_scale=attention_scale, seed=seed
    )
    return ModelParameters(*(np.ascontiguousarray(a) for a in arrays(start)))


def arrays(parameters: ModelParameters) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """FFN, attention and gate, in this order."""
    return parameters.ffn, parameters.attention, parameters.gate


def zeros_like(parameters: ModelParameters) -> ModelParameters:
    """Return zeros of the same shapes."""
    return ModelParameters(*(np.zeros_like(a) for a in arrays(parameters)))
