"""Settings of a mixture run that change nothing beside its others: one value of them for all."""

from typing import Any

from motsim.experiments.mixture.settings import Settings, build_model
from motsim.mixture.presets import gate_rate_rule

__all__ = ["effective"]


def effective(settings: Settings) -> Settings:
    """Return settings of the same run, to the bit, with one value for those without effect.

    Two runs whose settings agree then are the same run, and are computed once. What has no effect:

    =============================================== ===========================================
    settings                                        where
    =============================================== ===========================================
    noise_std, noise_support, noise_replicates      no noise tokens, or none that is not 0
    num_nodes                                       no amplitude that varies
    flow_method, flow_rtol, flow_atol               descent
    snapshots                                       no measures
    kept_attention                                  no stage III, or one attention at most
    total_steps, converge_steps                     in another way than `stages` adds them up
    align_steps (beside their sum)                  two stages
    specialize_steps, align_steps (as before),      one stage
    specialize_rate, routing_scale
    gate_rate None                                  it is that of the rule
    =============================================== ===========================================
    """
    found = _noise(settings) | _solver(settings) | _schedule(settings)
    if not settings.measures:
        found |= _defaults("snapshots")
    if settings.schedule != "three_stage" or build_model(settings).num_attentions < 2:
        found |= _defaults("kept_attention")
    return settings.model_copy(update=found)


def _noise(s: Settings) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if s.num_tokens == 3 or s.noise_std == 0:
        found = _defaults("noise_std", "noise_support", "noise_replicates")
    ranges = (s.class_amplitude, s.signal_amplitude, s.distractor_amplitude)
    if all(low == high for low, high in ranges):
        found |= _defaults("num_nodes")
    return found


def _solver(s: Settings) -> dict[str, Any]:
    return {} if s.dynamics == "flow" else _defaults("flow_method", "flow_rtol", "flow_atol")


def _schedule(s: Settings) -> dict[str, Any]:
    total = s.total_steps or s.specialize_steps + s.align_steps + s.converge_steps
    first = 0 if s.schedule == "end_to_end" else s.specialize_steps
    second = s.align_steps if s.schedule == "three_stage" else 0
    found: dict[str, Any] = {
        "specialize_steps": first, "align_steps": second,
        "converge_steps": total - first - second, "total_steps": 0,
    }  # fmt: skip
    if s.schedule == "end_to_end":
        found |= {"specialize_rate": 0.0, "routing_scale": s.converge_routing_scale}
    if s.gate_rate is None:
        found["gate_rate"] = gate_rate_rule(s.preset, s.num_classes, s.num_experts)
    return found


def _defaults(*names: str) -> dict[str, Any]:
    return {name: Settings.model_fields[name].default for name in names}
