"""Settings of one training run on the mixture data, and what they stand for."""

import math
from dataclasses import replace
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    Strict,
    model_serializer,
    model_validator,
)

from motsim.experiments.base import KindSettings
from motsim.experiments.mixture.measures import Measure
from motsim.mixture.data import Mixture, NoiseSupport
from motsim.mixture.model import Model, Routing, check_routing
from motsim.mixture.points import Closed, Sharing
from motsim.mixture.presets import PRESETS, gate_rate_rule
from motsim.mixture.schedule import FROZEN, Descent, Solver, Stage, check_dynamics

__all__ = ["Settings", "build_model", "mixture", "stages"]

Pair = Annotated[tuple[float, float], Strict(False)]
#: Settings that came later: left out of what is stored, and of keys, where they say what was so.
LATER = {
    "dynamics": "descent", "flow_method": "LSODA", "flow_rtol": 1e-6, "flow_atol": 3e-14,
    "routing_sharing": "none", "sample_closed": "none", "class_exponent": 0.0, "label_flip": 0.0,
    "new_samples": 0, "momentum": 0.9, "class_correlation": 0.0, "rounds": 1,
    "curve_points": 200, "snapshots": (),
    "kept_attention": "double",
}  # fmt: skip


def _whole(value: Any) -> Any:
    """1e12 is a whole number, too."""
    if isinstance(value, float) and math.isfinite(value):
        if not value.is_integer():
            raise ValueError(f"must be a whole number; got {value}: use {round(value)}")
        return int(value)
    return value


class Settings(KindSettings):
    """Complete settings of one run; defaults are the preset's (motsim/mixture/presets.py)."""

    preset: Literal["cubic", "linear", "single"] = "cubic"
    seed: int = Field(0, ge=0)
    # data
    num_classes: int = 4
    dim: int = 24
    num_tokens: int = 3
    similarity: float = 0.0
    class_amplitude: Pair = (1.0, 1.0)
    signal_amplitude: Pair = (1.0, 1.0)
    distractor_amplitude: Pair = (1.0, 3.0)
    noise_std: float = 0.0
    noise_support: NoiseSupport = "isotropic"
    class_exponent: float = Field(0.0, description="class n has probability ~ n^-a")
    label_flip: float = Field(0.0, description="probability that training sees the other label")
    class_correlation: float = Field(0.0, description="inner product of two class signals")
    num_nodes: int = Field(4, ge=1)
    noise_replicates: int = Field(1, ge=1)
    sample_size: int = Field(0, ge=0, description="0: the exact population")
    sample_closed: Closed = Field("none", description="images that the sample holds")
    new_samples: int = Field(
        0, ge=0, description="samples that each step draws anew; 0: every step has the same points"
    )
    shuffle_labels: bool = Field(False, description="negative control: labels without meaning")
    # model
    model: Literal["mot", "single", "moe", "shared"]
    num_experts: int = 16
    activation: Literal["cubic", "linear"]
    num_neurons: int = 1
    top_k: int = 1
    loss: Literal["squared", "logistic"] = "squared"
    # start
    init_std: float
    attention_scale: float
    orthogonal_start: bool
    # schedule
    schedule: Literal["three_stage", "two_stage", "end_to_end"]
    specialize_steps: int = Field(ge=0)
    specialize_rate: float
    align_steps: int = Field(ge=0)
    align_rate: float
    converge_steps: Annotated[int, BeforeValidator(_whole)] = Field(ge=0)
    rounds: int = Field(
        1, ge=1, le=20, description="of the last two of three stages; align_steps double in each"
    )
    total_steps: int = Field(0, ge=0, description="> 0: converge_steps is what the others leave")
    converge_rate: float
    converge_optimizer: Literal["gd", "normalized_gd", "momentum", "adam"] = Field(
        "gd", description="of the experts in the last stage; momentum, adam: of all but the gate"
    )
    momentum: float = Field(0.9, description="of converge_optimizer 'momentum'")
    dynamics: Literal["descent", "flow"] = Field("descent", description="of the last stage")
    flow_method: Literal["LSODA", "BDF", "Radau"] = "LSODA"
    flow_rtol: float = 1e-6
    flow_atol: float = 3e-14
    kept_attention: Literal["double", "single"] = Field(
        "double", description="precision in which stage III keeps it; docs/reductions.md"
    )
    gate_rate: float | None = Field(None, description="None: the rule of motsim/mixture/presets.py")
    # routing
    routing: Literal["expected", "sampled"] = "expected"
    routing_noise: Literal["gumbel", "uniform"] = "gumbel"
    routing_sharing: Sharing = Field("none", description="points that share sampled noise")
    routing_scale: float
    converge_routing_scale: float
    load_balance: float = 0.0
    # targets
    epsilon_max: float = 0.1
    epsilon_min: float = 1e-10
    epsilons_per_decade: int = Field(4, ge=1, le=100)
    measures: Annotated[tuple[Measure, ...], Strict(False)] = ()
    snapshots: Annotated[tuple[Annotated[int, Field(ge=2)], ...], Strict(False)] = Field(
        (), description="of measures: how many in each stage, evenly, and as many geometrically"
    )
    curve_points: int = Field(200, ge=2, description="of the loss curve, kept of each stage")

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        preset = values.get("preset", "cubic")
        return {**(PRESETS.get(preset, {}) if isinstance(preset, str) else {}), **values}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not 0 < self.epsilon_min < self.epsilon_max < 1:
            raise ValueError(
                "epsilons must satisfy 0 < epsilon_min < epsilon_max < 1; got"
                f" {self.epsilon_min:g} and {self.epsilon_max:g}"
            )
        if 0 < self.total_steps < self.specialize_steps + self.align_steps:
            raise ValueError(
                "total_steps must be 0 or >= specialize_steps + align_steps ="
                f" {self.specialize_steps + self.align_steps}; got {self.total_steps}"
            )
        if self.rounds > 1 and (self.schedule != "three_stage" or self.total_steps):
            raise ValueError(
                f"rounds {self.rounds} need schedule 'three_stage' and total_steps 0; got"
                f" {self.schedule!r} and {self.total_steps}"
            )
        for name in ("specialize_rate", "align_rate", "converge_rate", "gate_rate"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ValueError(f"{name} must be >= 0; got {value:g}")
        if self.noise_replicates > 1 and self.noise_replicates % 2:
            raise ValueError(f"noise_replicates must be 1 or even; got {self.noise_replicates}")
        noisy = self.num_tokens > 3 and self.noise_std > 0
        if self.routing_sharing != "none" and (
            self.routing == "expected" or self.sample_size or noisy
        ):
            raise ValueError(
                f"routing_sharing {self.routing_sharing!r} needs routing 'sampled' on the exact"
                " population without noise tokens"
            )
        images = {"none": 1, "signs": 4}.get(self.sample_closed, 2)
        if images > 1 and (self.sample_size < images or self.sample_size % images):
            raise ValueError(
                f"sample_closed {self.sample_closed!r} needs a sample_size divisible by {images};"
                f" got {self.sample_size}"
            )
        if self.new_samples:
            self._check_new_samples()
        if self.momentum != 0.9 and self.converge_optimizer != "momentum":
            raise ValueError(
                f"momentum {self.momentum:g} needs converge_optimizer 'momentum'; got"
                f" {self.converge_optimizer!r}"
            )
        mixture(self)
        model = build_model(self)
        schedule = stages(self)
        check_dynamics(model, schedule)  # first: what a flow needs is less than routing offers
        for stage in schedule:
            check_routing(model, stage.routing)
        initial_std_ok = self.init_std > 0 and self.attention_scale >= 0
        if not initial_std_ok:
            raise ValueError(
                "init_std must be > 0 and attention_scale >= 0; got"
                f" {self.init_std:g} and {self.attention_scale:g}"
            )
        return self

    def _check_new_samples(self) -> None:
        """Steps on new samples are plain or normalized descent, with expected routing."""
        if self.converge_optimizer in ("momentum", "adam"):
            raise ValueError(
                f"new_samples needs converge_optimizer 'gd' or 'normalized_gd'; got"
                f" {self.converge_optimizer!r}"
            )
        for name, value, needed in (
            ("sample_size", self.sample_size, 0),
            ("routing", self.routing, "expected"),
            ("dynamics", self.dynamics, "descent"),
            ("measures", self.measures, ()),
            ("kept_attention", self.kept_attention, "double"),
        ):
            if value != needed:
                raise ValueError(
                    f"new_samples needs {name} {needed!r}; got {value!r}: use {needed!r}, or"
                    " new_samples 0"
                )

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        return {k: v for k, v in values.items() if k not in LATER or v != LATER[k]}


def mixture(settings: Settings) -> Mixture:
    """Return the data distribution."""
    return Mixture(**{name: getattr(settings, name) for name in Mixture.__dataclass_fields__})


def build_model(settings: Settings) -> Model:
    """Return the architecture."""
    s = settings
    return Model(s.model, s.num_experts, s.activation, s.num_neurons, s.top_k)


def stages(settings: Settings) -> list[Stage]:
    """Return the schedule as a list of stages.

    `three_stage`: FFN, then attention, then FFN (docs/theory.md §3); with more `rounds`, attention
    for twice as long as before and FFN again, and so on. `two_stage`: FFN, then FFN
    and attention together for the steps of the other two. `end_to_end`: all from the first step.
    """
    s = settings
    rate = s.gate_rate
    if rate is None:
        rate = gate_rate_rule(s.preset, s.num_classes, s.num_experts)
    gate = Descent(rate)
    first = Routing(s.routing, s.routing_noise, s.routing_scale, s.load_balance)
    last = replace(first, scale=s.converge_routing_scale)
    early = Descent(s.specialize_rate, "normalized_gd")
    align = Descent(s.align_rate)
    late = Descent(s.converge_rate, s.converge_optimizer, s.momentum)
    joint = align
    if s.converge_optimizer in ("momentum", "adam"):
        joint = replace(late, rate=s.align_rate)
    total = s.total_steps or s.specialize_steps + s.align_steps + s.converge_steps
    own = build_model(s).num_attentions > 1  # else all attentions are equal, and kept once
    schedules = {
        "three_stage": [
            Stage("specialize", s.specialize_steps, early, FROZEN, gate, first),
            Stage("align", s.align_steps, FROZEN, align, gate, first),
            replace(
                Stage("converge", total - s.specialize_steps - s.align_steps, late, FROZEN, gate),
                routing=last,
                kept_attention=s.kept_attention if own else "double",
            ),
        ],
        "two_stage": [
            Stage("specialize", s.specialize_steps, early, FROZEN, gate, first),
            Stage("joint", total - s.specialize_steps, late, joint, gate, last),
        ],
        "end_to_end": [Stage("joint", total, late, joint, gate, last)],
    }
    found = schedules[s.schedule]
    for k in range(1, s.rounds):  # the gate has chosen by then: routing stays that of stage III
        found.append(replace(found[1], steps=2**k * s.align_steps, routing=last))
        found.append(found[2])
    if s.dynamics == "flow":
        solver = Solver(s.flow_method, s.flow_rtol, s.flow_atol)
        found[-1] = replace(found[-1], dynamics="flow", solver=solver)
    return found
