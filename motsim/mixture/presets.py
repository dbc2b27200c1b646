"""Settings known to work, by name; a sweep file or ``--set`` overrides any of them.

Measured here unless marked otherwise: docs/theory.md §4.
"""

from typing import Any

__all__ = ["PRESETS", "gate_rate_rule"]

PRESETS: dict[str, dict[str, Any]] = {
    # Cubic experts, attention near the identity, generic small start: robust.
    "cubic": {
        "model": "mot",
        "activation": "cubic",
        "attention_scale": 8.0,
        "init_std": 0.003,
        "orthogonal_start": False,
        "schedule": "three_stage",
        "specialize_steps": 850,
        "specialize_rate": 0.001,
        "align_steps": 200,
        "align_rate": 0.1,
        "converge_steps": 2000,
        "converge_rate": 0.01,
        "routing_scale": 1.0,
        "converge_routing_scale": 0.02,
    },
    # Linear experts, uniform attention at first, start orthogonal to the class signals: probably
    # the paper's own architecture (reconstructed); it needs the exact mirror of the population.
    "linear": {
        "model": "mot",
        "activation": "linear",
        "attention_scale": 0.0,
        "init_std": 0.05,
        "orthogonal_start": True,
        "schedule": "three_stage",
        "specialize_steps": 1500,
        "specialize_rate": 0.001,
        "align_steps": 200,
        "align_rate": 0.1,
        "converge_steps": 1000,
        "converge_rate": 0.1,
        "routing_scale": 0.3,
        "converge_routing_scale": 0.01,
    },
    # One transformer with several heads, all parameters from the first step, plain descent.
    "single": {
        "model": "single",
        "activation": "linear",
        "attention_scale": 0.0,
        "init_std": 0.1,
        "orthogonal_start": False,
        "schedule": "end_to_end",
        "specialize_steps": 0,
        "specialize_rate": 0.0,
        "align_steps": 0,
        "align_rate": 0.5,
        "converge_steps": 30_000,
        "converge_rate": 0.05,
        "routing_scale": 1.0,
        "converge_routing_scale": 1.0,
    },
}


def gate_rate_rule(preset: str, num_classes: int, num_experts: int) -> float:
    """Step size of the gate that specializes over N and M: proportional to N * M.

    A sample of class n reaches expert i with weight 1/(N M) at the start, so the gate's gradient
    shrinks as N M grows (derived here); the constants are measured (docs/theory.md §4).
    """
    constant = {"cubic": 10.0, "linear": 30.0, "single": 0.0}[preset]
    return constant * num_classes * num_experts / 64.0
