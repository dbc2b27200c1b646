"""Numba kernels: arrays in, arrays out, no policy and no checks.

Points go eight at a time (`lanes`), in blocks that share the axes of their signal tokens
(`arguments`); whatever an expert does for one block stays in the cache.
"""

from motsim.vectors.compiling import kernel_cache

with kernel_cache():
    from motsim.mixture.kernels.adam import adam_step
    from motsim.mixture.kernels.anew import take_steps_anew
    from motsim.mixture.kernels.arguments import (
        Batch,
        Buffers,
        Parameters,
        Passes,
        Rule,
        Task,
        only_signals,
    )
    from motsim.mixture.kernels.descent import (
        descend,
        descend_in_parts,
        gradients,
        passes_of,
        take_steps,
    )
    from motsim.mixture.kernels.frozen import refresh_moments
    from motsim.mixture.kernels.passes import refresh_attention, refresh_rounded
    from motsim.mixture.kernels.routes import Route, choose_route
    from motsim.vectors.lanes import WIDTH

__all__ = [
    "WIDTH",
    "Batch",
    "Buffers",
    "Parameters",
    "Passes",
    "Route",
    "Rule",
    "Task",
    "adam_step",
    "choose_route",
    "descend",
    "descend_in_parts",
    "gradients",
    "only_signals",
    "passes_of",
    "refresh_attention",
    "refresh_moments",
    "refresh_rounded",
    "take_steps",
    "take_steps_anew",
]
