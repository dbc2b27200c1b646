"""Even pairs, recognized by one attention layer and a linear one, trained jointly; engine: JAX.

A word of letters a, b is accepted if "ab" and "ba" occur an even number of times in all. Each place
has a direction for each letter; the last token asks: f = u . sum_n softmax_n(x_n W x_last) x_n.
The loss is logistic, averaged over all words of each length 2 to `longest`, and over the lengths.
"""

from functools import partial
from itertools import product
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from motsim import KindSettings, Result, result_of_losses

jax.config.update("jax_enable_x64", True)
CHUNK = 2_000  # steps of one call of the compiled loop


class Settings(KindSettings):
    """One run."""

    seed: int = 0
    longest: int = 5
    rate: float = 50.0
    steps: int = 100_000
    attention: Literal["trained", "frozen"] = "trained"
    method: Literal["descent", "normalized"] = "descent"
    epsilon_min: float = 1e-6


def words(longest: int) -> tuple[np.ndarray, ...]:
    """Return tokens (B, L, 2 L), which are there (B, L), labels and weights (B,)."""
    tokens, there, labels, weights = [], [], [], []
    for length in range(2, longest + 1):
        for word in product((0, 1), repeat=length):
            letters = np.array(word + (0,) * (longest - length))
            tokens.append(np.eye(2 * longest)[2 * np.arange(longest) + letters])
            there.append(np.arange(longest) < length)
            labels.append(1.0 if np.count_nonzero(np.diff(word)) % 2 == 0 else -1.0)
            weights.append(1.0 / (longest - 1) / 2**length)
    return tuple(np.array(a) for a in (tokens, there, labels, weights))


def loss(parameters, tokens, there, labels, weights):
    """Return the mean logistic loss."""
    attention, direction = parameters
    last = tokens[jnp.arange(len(tokens)), there.sum(axis=1) - 1]
    scores = jnp.einsum("bnd,de,be->bn", tokens, attention, last)
    shares = jax.nn.softmax(jnp.where(there, scores, -jnp.inf), axis=1)
    outputs = jnp.einsum("bn,bnd,d->b", shares, tokens, direction)
    return weights @ jnp.logaddexp(0.0, -labels * outputs)


@partial(jax.jit, static_argnames=("trained", "normalized"))
def descend(parameters, data, rate, *, trained, normalized):
    """Take `CHUNK` steps; return the parameters and the losses before each."""

    def step(now, _):
        value, slope = jax.value_and_grad(loss)(now, *data)
        attention, direction = slope
        slope = (attention * trained, direction)
        size = jnp.sqrt(sum(jnp.sum(part**2) for part in slope)) if normalized else 1.0
        return tuple(p - rate * g / size for p, g in zip(now, slope, strict=True)), value

    return jax.lax.scan(step, parameters, length=CHUNK)


def run(settings: Settings) -> Result:
    """Train once from a small random start, until the smallest eps."""
    s = settings
    data = tuple(jnp.asarray(a) for a in words(s.longest))
    draw = np.random.default_rng(s.seed)
    dim = 2 * s.longest
    now = tuple(jnp.asarray(0.01 * draw.standard_normal(n)) for n in ((dim, dim), dim))
    losses = np.zeros(0)
    while len(losses) < s.steps and not (losses <= s.epsilon_min).any():
        now, some = descend(
            now, data, s.rate, trained=s.attention == "trained", normalized=s.method == "normalized"
        )
        losses = np.append(losses, some)
    targets = np.geomspace(0.1, s.epsilon_min, round(3 * np.log10(0.1 / s.epsilon_min)) + 1)
    return result_of_losses(losses, epsilons=targets)
