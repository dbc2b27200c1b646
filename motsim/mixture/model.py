"""The four models: mixture of transformers, single transformer, attention-free MoE, shared."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from motsim.checks import check_choice, check_integer
from motsim.printing import brief
from motsim.randomness import generator

__all__ = [
    "Loss",
    "Model",
    "ModelParameters",
    "Routing",
    "check_routing",
    "initial_parameters",
]

Floats = NDArray[np.float64]
Kind = Literal["mot", "single", "moe", "shared"]
Activation = Literal["linear", "cubic"]
Loss = Literal["squared", "logistic"]


@dataclass(frozen=True)
class Model:
    """Architecture of one model (docs/theory.md §2).

    Parameters
    ----------
    kind : {"mot", "single", "moe", "shared"}
        `mot`: M transformer experts and a gate. `single`: one transformer with M heads, no gate.
        `moe`: experts without attention. `shared`: one attention for all experts.
    num_experts : int
        M >= 1; the number of heads H for `single`.
    activation : {"cubic", "linear"}
    num_neurons : int
        J >= 1 neurons an expert.
    top_k : int
        Experts used at a time, 1 <= top_k <= num_experts.

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    kind: Kind = "mot"
    num_experts: int = 16
    activation: Activation = "cubic"
    num_neurons: int = 1
    top_k: int = 1

    def __post_init__(self) -> None:
        check_choice("model", self.kind, ("mot", "single", "moe", "shared"))
        check_choice("activation", self.activation, ("cubic", "linear"))
        for name in ("num_experts", "num_neurons", "top_k"):
            check_integer(name, getattr(self, name), 1)
        if self.top_k > self.num_experts:
            raise ValueError(f"top_k must be <= num_experts = {self.num_experts}; got {self.top_k}")

    @property
    def gated(self) -> bool:
        """Whether the model has a gate."""
        return self.kind != "single"

    @property
    def num_attentions(self) -> int:
        """Number of attention matrices: M, 1 or 0."""
        return {"mot": self.num_experts, "single": self.num_experts, "shared": 1, "moe": 0}[
            self.kind
        ]


@dataclass(frozen=True)
class Routing:
    """How training routes a sample (docs/theory.md §2).

    Parameters
    ----------
    mode : {"expected", "sampled"}
        `expected` takes the exact expectation over Gumbel noise; `sampled` draws the noise.
    noise : {"gumbel", "uniform"}
        Gumbel of the given scale, or uniform on [0, scale]. `expected` needs "gumbel".
    scale : float
        lambda > 0.
    load_balance : float
        Coefficient >= 0 of M * sum_i fraction_i * mean pi_i, added to the training loss.

    Raises
    ------
    ValueError
        If one is out of range, or "expected" has no closed form for the noise.
    """

    mode: Literal["expected", "sampled"] = "expected"
    noise: Literal["gumbel", "uniform"] = "gumbel"
    scale: float = 1.0
    load_balance: float = 0.0

    def __post_init__(self) -> None:
        check_choice("routing", self.mode, ("expected", "sampled"))
        check_choice("routing_noise", self.noise, ("gumbel", "uniform"))
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise ValueError(f"routing_scale must be finite and > 0; got {self.scale}")
        if not (np.isfinite(self.load_balance) and self.load_balance >= 0):
            raise ValueError(f"load_balance must be finite and >= 0; got {self.load_balance}")
        if self.mode == "expected" and self.noise == "uniform":
            raise ValueError(
                "routing 'expected' has a closed form for 'gumbel' noise only; use"
                " routing_noise 'gumbel' or routing 'sampled'"
            )

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
        """Draw routing noise of the given shape, already scaled."""
        if self.noise == "uniform":
            return rng.uniform(0.0, self.scale, shape)
        return rng.gumbel(0.0, self.scale, shape)


@dataclass(frozen=True, repr=False)
class ModelParameters:
    """Parameters, or their gradients.

    Attributes
    ----------
    ffn : (M, J, d) array
    attention : (M, d, d), (1, d, d) for `shared`, (0, d, d) for `moe`
        Merged key-query matrices A_i.
    gate : (M, d) array, (0, d) for `single`
        Row i is the gating vector of expert i.
    """

    ffn: Floats
    attention: Floats
    gate: Floats

    def __repr__(self) -> str:
        return brief(self)

    def is_finite(self) -> bool:
        """Whether every number is finite."""
        return all(bool(np.isfinite(a).all()) for a in (self.ffn, self.attention, self.gate))


def initial_parameters(
    model: Model,
    dim: int,
    *,
    init_std: float,
    attention_scale: float,
    orthogonal_to: Floats | None = None,
    seed: int = 0,
) -> ModelParameters:
    """FFN N(0, init_std^2), attention kappa I, gate zero.

    Parameters
    ----------
    model : Model
        What the parameters are of.
    dim : int
        Of the tokens, d.
    init_std : float
        sigma_0 > 0.
    attention_scale : float
        kappa >= 0: 0 is uniform attention, large is near-identity.
    orthogonal_to : (N, d) array, optional
        Orthonormal rows off which the FFN weights are projected (the class signals: a start that
        is odd under the mirror, see docs/theory.md §4).
    seed : int
        Of the run; its "weights" stream is used.

    Returns
    -------
    ModelParameters
        FFN (M, J, d), attention (M or 1 or 0, d, d), gate (M or 0, d).

    Raises
    ------
    ValueError
        If `init_std` or `attention_scale` is out of range.
    """
    if not (np.isfinite(init_std) and init_std > 0):
        raise ValueError(f"init_std must be finite and > 0; got {init_std}")
    if not (np.isfinite(attention_scale) and attention_scale >= 0):
        raise ValueError(f"attention_scale must be finite and >= 0; got {attention_scale}")
    rng = generator(seed, "weights")
    ffn = init_std * rng.standard_normal((model.num_experts, model.num_neurons, dim))
    if orthogonal_to is not None:
        for _ in range(2):  # twice, to be orthogonal to rounding
            ffn = ffn - (ffn @ orthogonal_to.T) @ orthogonal_to
    attention = np.tile(attention_scale * np.eye(dim), (model.num_attentions, 1, 1))
    return ModelParameters(ffn, attention, np.zeros((model.num_experts * model.gated, dim)))


def check_routing(model: Model, routing: Routing) -> None:
    """ValueError if the expectation over routing noise has no closed form for this model."""
    if model.gated and model.top_k > 1 and routing.mode == "expected":
        raise ValueError(
            f"routing 'expected' needs top_k = 1; got top_k = {model.top_k}: use routing 'sampled'"
        )
