"""A small convolutional network in JAX: its start, and the four programs that rehearsal runs.

Two layers of 3 × 3 filters (w, then 2w of them) with ReLU, each followed by averaging over 2 × 2
blocks, then a linear output layer with one head of ten classes for all tasks, or one head a task.
Arithmetic is float32. A compiled program is that of one network, and lengths that vary (of pools,
plans, images) are data to it, not shapes: a worker compiles three programs, used in every run.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import Any

import numpy as np

from motsim.randomness import generator
from motsim.rehearsal.convolution import FIELD, make_layer

__all__ = ["Parameters", "initial_parameters", "programs", "use_one_thread"]

Parameters = dict[str, Any]
NUM_CLASSES = 10
CHUNK = 64  # images at a time where nothing is trained; their patches fit in the cache
#: Pools, plans and images are filled up to multiples of these, so that most runs share programs.
POOL, STEPS, BUFFER = 1024, 512, 512


def use_one_thread() -> None:
    """Keep XLA on one thread, if it has not started in this process."""
    if "jax" not in sys.modules:
        flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()


def initial_parameters(shape: tuple[int, int], width: int, heads: int, seed: int) -> Parameters:
    """Return the start for images of `shape`: He-normal filters, an output layer of zeros.

    With zero outputs every class is equally likely at the start, so the gradients of balanced
    tasks have no part in common that says nothing about the task.
    """
    draw = generator(seed, "weights")
    made: Parameters = {}
    for name, inputs, outputs in (
        ("conv1", FIELD**2, width),
        ("conv2", FIELD**2 * width, 2 * width),
        ("dense", 2 * width * (shape[0] // 4) * (shape[1] // 4), heads * NUM_CLASSES),
    ):
        made[name] = draw.normal(size=(inputs, outputs)) * np.sqrt(2 / inputs)
        made[f"{name}_bias"] = np.zeros(outputs)
    made["dense"][:] = 0
    return {name: value.astype(np.float32) for name, value in made.items()}


@cache
def programs(momentum: float) -> dict[str, Any]:
    """Return the programs, called as ``program(parameters, which, data, *own)``.

    `parameters` and each array of `own` have the networks (N) in front, `data` the seeds (R), and
    `which` (N,) says which seed's data a network sees.

    * ``train``: data images (R, P, H, W), labels (R, P), heads (R, P); own batches (N, S, B), which
      are indices of images, `fresh` (N, S), where momentum restarts, `rates` (N, S), the rate of
      every step, and `mark` (N,), a number of steps. Returns the parameters at the mark and at the
      end.
    * ``accuracy``: data images (R, T, k, H, W), labels, heads. Returns shares of right answers,
      (N, T).
    * ``gradients``, ``losses``: the same data, own weights (N, T, k) of a mean cross-entropy.
      Return its gradients (N, T, D) and values (N, T).

    Networks run one after another, each by itself, so its numbers do not depend on the others.
    """
    compiled = _compiled(momentum)

    def train(parameters: Parameters, which: Any, data: Any, *own: Any) -> Any:
        *plan, marks = own
        total = plan[0].shape[1]
        pool = [_fill(x, 1, POOL) for x in data]
        plan = [_fill(x, 1, STEPS) for x in plan]
        found = []
        for i, seed in enumerate(which):
            bounds = np.array([0, min(marks[i], total), total], np.int32)
            now = (*(x[seed] for x in pool), *(x[i] for x in plan), bounds)
            ends = compiled["descend"](_one(parameters, i), *now)
            found.append({name: np.asarray(value) for name, value in ends.items()})
        joined = {name: np.stack([f[name] for f in found], axis=1) for name in parameters}
        return tuple({name: value[k] for name, value in joined.items()} for k in (0, 1))

    def for_each(program: Any, parameters: Parameters, which: Any, data: Any, own: Any) -> Any:
        """Results (N, T, …) of one program of a network and the images of one task."""
        filled = [_fill(x, 2, BUFFER) for x in data]
        own = [_fill(x, 2, BUFFER) for x in own]
        size = data[1].shape[2]
        found = []
        for i, seed in enumerate(which):
            p = _one(parameters, i)
            for task in range(data[1].shape[1]):
                mine = [x[i, task] for x in own]
                used = int(np.flatnonzero(mine[0]).max(initial=0)) + 1 if mine else size
                chunks = np.int32(-(-used // CHUNK))
                found.append(program(p, *(x[seed, task] for x in filled), *mine, chunks))
        shape = (len(which), -1)
        stacked = [np.stack([np.asarray(f[k]) for f in found]) for k in range(len(found[0]))]
        return [x.reshape(*shape, x.shape[-1]) for x in stacked]

    def accuracy(parameters: Parameters, which: Any, data: Any) -> Any:
        right, _ = for_each(compiled["outcomes"], parameters, which, data, ())
        return right[..., : data[1].shape[2]].mean(axis=-1)

    def losses(parameters: Parameters, which: Any, data: Any, weights: Any) -> Any:
        _, loss = for_each(compiled["outcomes"], parameters, which, data, ())
        return (loss[..., : weights.shape[2]] * weights).sum(axis=-1)

    def gradients(parameters: Parameters, which: Any, data: Any, weights: Any) -> Any:
        return for_each(compiled["slope"], parameters, which, data, (weights,))[0]

    return {"train": train, "accuracy": accuracy, "gradients": gradients, "losses": losses}


def _one(parameters: Parameters, i: int) -> Parameters:
    return {name: value[i] for name, value in parameters.items()}


def _fill(array: Any, axis: int, multiple: int) -> Any:
    """The array with zeros up to a multiple: few shapes, hence few compilations."""
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, -array.shape[axis] % multiple)
    return np.pad(array, widths)


@cache
def _compiled(momentum: float) -> dict[str, Any]:
    """The jitted programs of one network: `descend`, `outcomes` and `slope`."""
    use_one_thread()
    import jax
    import jax.numpy as jnp
    import optax

    layer = make_layer()
    optimizer = optax.sgd(1.0, momentum=momentum or None)

    def logits(p: Parameters, images: Any, heads: Any) -> Any:
        """Outputs (10, b) of the images' heads; masks, since gradients of indexing are slow."""
        x = layer(jnp.transpose(images, (1, 2, 0))[None], p["conv1"], p["conv1_bias"])
        x = layer(x, p["conv2"], p["conv2_bias"])
        x = jnp.transpose(x, (1, 2, 0, 3)).reshape(-1, len(images))
        every = p["dense"].T @ x + p["dense_bias"][:, None]
        every = every.reshape(-1, NUM_CLASSES, len(images))
        mine = jnp.arange(len(every), dtype=jnp.int32)[:, None] == heads
        return jnp.where(mine[:, None], every, 0).sum(axis=0)

    def entropies(outputs: Any, labels: Any) -> Any:
        answer = jnp.arange(NUM_CLASSES, dtype=jnp.int32)[:, None] == labels
        shifted = outputs - jax.lax.stop_gradient(outputs.max(axis=0))
        return jnp.log(jnp.exp(shifted).sum(axis=0)) - jnp.where(answer, shifted, 0).sum(axis=0)

    def loss(p: Parameters, images: Any, labels: Any, heads: Any, weights: Any) -> Any:
        return entropies(logits(p, images, heads), labels) @ weights

    def descend(p: Parameters, images: Any, labels: Any, heads: Any, *plan: Any) -> Any:
        """Parameters at the second and the third of three bounds, stacked."""
        *steps, bounds = plan
        size = steps[0].shape[1]
        weights = jnp.full(size, 1 / size, jnp.float32)

        def step(i_step: Any, carry: Any) -> Any:
            p, state = carry
            batch, fresh, rate = (x[i_step] for x in steps)
            state = jax.tree.map(lambda s: jnp.where(fresh, jnp.zeros_like(s), s), state)
            gradient = jax.grad(loss)(p, images[batch], labels[batch], heads[batch], weights)
            updates, state = optimizer.update(gradient, state, p)
            return optax.apply_updates(p, jax.tree.map(lambda u: rate * u, updates)), state

        def stretch(carry: Any, ends: Any) -> Any:
            carry = jax.lax.fori_loop(ends[0], ends[1], step, carry)
            return carry, carry[0]

        pairs = jnp.stack([bounds[:2], bounds[1:]])
        return jax.lax.scan(stretch, (p, optimizer.init(p)), pairs)[1]

    def chunk(i_chunk: Any, arrays: Any) -> Any:
        return [jax.lax.dynamic_slice_in_dim(x, i_chunk * CHUNK, CHUNK) for x in arrays]

    def outcomes(p: Parameters, images: Any, labels: Any, heads: Any, chunks: Any) -> Any:
        """Whether each answer is right, and its loss, for the first chunks of the images."""

        def one(i_chunk: Any, found: Any) -> Any:
            x, y, h = chunk(i_chunk, (images, labels, heads))
            outputs = logits(p, x, h)
            new = (jnp.argmax(outputs, axis=0) == y, entropies(outputs, y))
            put = jax.lax.dynamic_update_slice_in_dim
            return tuple(
                put(old, part, i_chunk * CHUNK, axis=0)
                for old, part in zip(found, new, strict=True)
            )

        start = (jnp.zeros(len(images), bool), jnp.zeros(len(images), jnp.float32))
        return jax.lax.fori_loop(0, chunks, one, start)

    def slope(p: Parameters, *data: Any) -> Any:
        """Gradient of the weighted loss over the first chunks of the images, flat."""
        *arrays, chunks = data

        def one(i_chunk: Any, total: Any) -> Any:
            return jax.tree.map(jnp.add, total, jax.grad(loss)(p, *chunk(i_chunk, arrays)))

        total = jax.lax.fori_loop(0, chunks, one, jax.tree.map(jnp.zeros_like, p))
        return (jnp.concatenate([g.ravel() for g in jax.tree.leaves(total)]),)

    return {f.__name__: jax.jit(f) for f in (descend, outcomes, slope)}
