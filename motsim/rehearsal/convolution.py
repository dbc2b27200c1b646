"""One layer of the small network in JAX: filters of 3 × 3 pixels, ReLU, means over 2 × 2 blocks.

The filters act as a matrix product over patches. Arrays are (channels, rows, columns, images) with
the images last, so that every copy, sum and product runs over adjacent numbers. The gradient is
written out: XLA's own one adds nine padded arrays pixel by pixel, three times as slow as the matrix
products. Barriers keep XLA from fusing reshapes into copies, which costs it the vector loops.
"""

from __future__ import annotations

from functools import cache
from typing import Any

__all__ = ["FIELD", "make_layer"]

FIELD = 3  # width of a filter


@cache
def make_layer() -> Any:
    """Return the differentiable function layer(x, weights, bias).

    It maps x (c, H, W, b), weights (9 · c, d), rows ordered (row of the filter, column, channel),
    and bias (d,) to (d, H // 2, W // 2, b); zeros surround the image, an odd last row or column is
    dropped after the filters. JAX is imported here, not with the module.
    """
    import jax
    import jax.numpy as jnp

    barrier = jax.lax.optimization_barrier
    shifts = [(i, j) for i in range(FIELD) for j in range(FIELD)]

    def forward(x: Any, weights: Any, bias: Any) -> Any:
        _, h, w, b = x.shape
        padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        patches = jnp.concatenate([padded[:, i : i + h, j : j + w] for i, j in shifts])
        columns = barrier(patches).reshape(-1, h * w * b)
        sums = barrier(barrier(weights.T) @ columns).reshape(-1, h, w, b)
        sums = sums + bias[:, None, None, None]
        positive = jnp.maximum(sums, 0)[:, : h // 2 * 2, : w // 2 * 2]
        blocks = positive.reshape(-1, h // 2, 2, w // 2, 2, b)
        total = sum(blocks[:, :, i, :, j] for i in (0, 1) for j in (0, 1))
        return 0.25 * total, (columns, sums, weights)

    def backward(kept: Any, slope: Any) -> Any:
        columns, sums, weights = kept
        d, h, w, b = sums.shape
        spread = jnp.broadcast_to(0.25 * slope[:, :, None, :, None], (d, h // 2, 2, w // 2, 2, b))
        spread = spread.reshape(d, h // 2 * 2, w // 2 * 2, b)
        spread = jnp.pad(spread, ((0, 0), (0, h % 2), (0, w % 2), (0, 0)))
        spread = barrier(jnp.where(sums > 0, spread, 0))
        flat = spread.reshape(d, -1)
        parts = barrier(weights @ flat).reshape(len(shifts), -1, h, w, b)
        x_slope = jnp.zeros((parts.shape[1], h + 2, w + 2, b), jnp.float32)
        for part, (i, j) in zip(parts, shifts, strict=True):
            moved = x_slope[:, i : i + h, j : j + w] + part
            x_slope = jax.lax.dynamic_update_slice(x_slope, moved, (0, i, j, 0))
        return x_slope[:, 1:-1, 1:-1], columns @ flat.T, spread.sum(axis=(1, 2, 3))

    layer = jax.custom_vjp(lambda x, weights, bias: forward(x, weights, bias)[0])
    layer.defvjp(forward, backward)
    return layer
