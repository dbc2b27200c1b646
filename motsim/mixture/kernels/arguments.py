"""What the kernels take: parameters, points in blocks of eight, the rule of a step, scratch.

Sizes: M experts, J neurons, r coordinates; a point has L tokens: S signal tokens, each a multiple
of one coordinate axis (3 or 0), and K others. B points in B / 8 blocks; the points of a block
share the axes of their signal tokens. Row ``i * J + j`` is neuron j of expert i.

Tokens are kept of T blocks: of all, or of every second one where the next holds the mirror points,
whose tokens are the negatives but for the first, the class token. Experts are odd: they give a
mirror point the negative of what they give its *image*, with the same tokens but the first, which
is the negative. So block and image share the products of weights and tokens and all scores, but for
the sign of what belongs to the first token.
"""

from typing import Any, NamedTuple

import numpy as np
from numba.extending import register_jitable

from motsim.vectors.addresses import advance, pointer
from motsim.vectors.lanes import WIDTH, inlined, written_out

#: Where `Buffers.part` has what it says.
FIRST_BLOCK, NUM_BLOCKS, PARTS_LEFT = 0, 1, 2


class Parameters(NamedTuple):
    """Parameters, or their gradients, in r coordinates."""

    ffn: np.ndarray  # (M * J, r)
    attention: np.ndarray  # (M or 1 or 0, r, r)
    gate: np.ndarray  # (M or 0, r)


class Batch(NamedTuple):
    """The points of a step, in blocks; where a block is not full, points of weight 0 fill it."""

    axes: np.ndarray  # (B / 8, S) coordinate of each signal token
    amplitudes: np.ndarray  # (B / 8, S, 8)
    tokens: np.ndarray  # (T, r, K, 8) the other tokens
    token_sums: np.ndarray  # (r, B) sums of the other tokens
    labels: np.ndarray  # (B,)
    point_weights: np.ndarray  # (B,)
    order: np.ndarray  # (B,) the point that each is; not used by kernels
    metric: np.ndarray  # (r, r) Gram matrix of the coordinates' directions; (0, 0): the identity


@written_out  # it returns arrays: whoever counts references counts these
def part_of(parts, i_part):
    """One part of points whose arrays have an axis of parts in front."""
    return Batch(
        parts.axes[i_part], parts.amplitudes[i_part], parts.tokens[i_part],
        parts.token_sums[i_part], parts.labels[i_part], parts.point_weights[i_part],
        parts.order[i_part], parts.metric,
    )  # fmt: skip


class Rule(NamedTuple):
    """What a step does; the rate of a part that does not train is not read."""

    neurons: int
    cubic: bool
    logistic: bool
    gated: bool
    mixed: bool  # there is attention
    sampled: bool
    top_k: int
    routing_scale: float
    load_balance: float
    trains_ffn: bool
    ffn_rate: float
    ffn_normalized: bool
    trains_attention: bool
    attention_rate: float
    attention_normalized: bool
    trains_gate: bool
    gate_rate: float
    gate_normalized: bool
    class_axes: int  # n > 0: keep parameters odd; the first n coordinates are the class signals
    negligible: float  # an expert is passed over in a block where its q is below this,
    dense_above: float  # unless there are tokens off the axes and a larger share is needed
    route: int  # a `Route`, by which kernels go


class Buffers(NamedTuple):
    """The arrays that a step works in; `attention_probs` holds the frozen attention between steps.

    float64, but where every expert has its own frozen attention a stage may keep it in float32.

    B and B / 8 are of one part, but in `attention_probs`. What sums over points is 0 between steps.
    """

    # (M or 1 or 0, T, Q, L, 8): queries, keys; Q = L, or 1 where summed. 0: `three` takes them anew
    # in each pass. With images (M or 1, T, Q + 1, L + 3, 8), see `mirrors`
    attention_probs: np.ndarray
    # (B / 8, M or 1, 10 or 3, 8) for `frozen`; (1, 1, 10 or 3, 8): it takes them anew in each pass
    moments: np.ndarray
    products: np.ndarray  # (rows of a group, L, 8): t
    mixed: np.ndarray  # (rows of a group, images, L, 8): u, then the gradient by u
    # (blocks at a time, M * J, K, 8): t of the other tokens, then the gradient by it
    other_products: np.ndarray
    by_product: np.ndarray  # (L, 8): gradient by t
    by_score: np.ndarray  # (images, L, L, 8): scores, then the gradient by them; queries, keys
    # (blocks at a time, r, K, 8): A x, then the keys weighted by `by_score`; without attention
    # (2 M, r + S, K, 8), the tiles of `gathered`
    moved: np.ndarray
    ffn_sums: np.ndarray  # (M * J, r, 8)
    attention_sums: np.ndarray  # (r, r, 8)
    gate_sums: np.ndarray  # (M, r, 8)
    gate_part: np.ndarray  # (M, r) of one part, by the other tokens
    ffn_across: np.ndarray  # (M / 8, r + 9, 8) for `fused`: (M / 8, r, 8), then (M / 8, 9, 8)
    listed: np.ndarray  # (18 M,) experts that a block needs, for `fused`; lists of `gathered`
    direction: np.ndarray  # for a gradient times the metric, and for one matrix more
    outputs: np.ndarray  # (M, B): f
    logits: np.ndarray  # (M, B): h
    gates: np.ndarray  # (M, B): pi
    choice: np.ndarray  # (M, B): q (may be `gates` where it is pi), or the mask of selected experts
    by_output: np.ndarray  # (M, B)
    by_gate: np.ndarray  # (M, B)
    final: np.ndarray  # (B,): F with noise-free routing
    part: np.ndarray  # (3,): FIRST_BLOCK of the part at work, NUM_BLOCKS of all, PARTS_LEFT


class Passes(NamedTuple):
    """Addresses of the pass that a step takes; 0: not that."""

    fused: int
    apart: int


class Task(NamedTuple):
    """Points with an axis of parts in front, and what a step does on them."""

    parts: Batch
    rule: Rule
    buffers: Buffers  # of one part, but for what is kept of a frozen attention: of all
    noise: np.ndarray  # (steps, M, B) of sampled routing, or (1, 0, 0) where routing draws none
    keeps: bool  # a frozen attention is kept
    passes: Passes


@register_jitable
def only_signals(batch):
    """Whether points have three signal tokens and no others."""
    return batch.axes.shape[-1] == 3 and batch.tokens.shape[-2] == 0


class BatchPtrs(NamedTuple):
    """Addresses and sizes of a `Batch`, for the innermost kernels."""

    axes: Any
    amplitudes: Any
    tokens: Any
    labels: Any
    point_weights: Any
    blocks: int  # B / 8
    images: int  # 2 where the mirror of a block follows it, else 1
    signals: int  # S
    others: int  # K
    coordinates: int  # r


class BufferPtrs(NamedTuple):
    """Addresses of a `Buffers`, and the number of queries it keeps of each point."""

    attention_probs: Any
    moments: Any
    products: Any
    other_products: Any
    mixed: Any
    by_product: Any
    by_score: Any
    moved: Any
    ffn_sums: Any
    attention_sums: Any
    outputs: Any
    gates: Any
    choice: Any
    by_output: Any
    by_gate: Any
    queries: int
    terms: int  # 10 or 3 moments of each point
    first: int  # block of the part at work
    all_blocks: int  # of all parts
    ends: bool  # no part is to come: sums over points are taken
    dense: bool  # no expert is passed over


class Pair(NamedTuple):
    """A block, with its image where there is one."""

    i_pair: int  # of the block among those that are no images
    attention_probs: Any
    ahead: Any  # attention weights that are next
    asks: int  # 1: these come from memory, and are asked for; 0: not


class Neuron(NamedTuple):
    """Addresses of one neuron, and the slot of the buffers that is its own."""

    weight: Any  # (r,)
    others: Any  # (K, 8): t of the other tokens, then the gradient by it
    sums: Any  # (r, 8) of the gradient by its weight
    slot: int


class Group(NamedTuple):
    """The experts that share one attention, and what is done with them in one pass."""

    i_group: int
    experts: int
    sets: int  # attentions that are kept
    asks: bool  # more of them than a cache holds
    at_a_time: int  # blocks that may wait
    begin: int  # first pair
    end: int  # pair after the last
    phase: int


@inlined
def batch_addresses(batch, part=0):
    """`BatchPtrs` of a `Batch`, or of one part where its arrays have an axis of parts in front."""
    tokens, coordinates, others, _ = batch.tokens.shape[-4:]
    blocks, signals = batch.axes.shape[-2:]
    first = part * blocks
    return BatchPtrs(
        advance(pointer(batch.axes), first * signals),
        advance(pointer(batch.amplitudes), first * signals * WIDTH),
        advance(pointer(batch.tokens), part * tokens * coordinates * others * WIDTH),
        advance(pointer(batch.labels), first * WIDTH),
        advance(pointer(batch.point_weights), first * WIDTH),
        blocks, blocks // tokens, signals, others, coordinates,
    )  # fmt: skip


@inlined
def buffer_addresses(buffers, dense):
    """`BufferPtrs` of a `Buffers`."""
    return BufferPtrs(
        pointer(buffers.attention_probs), pointer(buffers.moments), pointer(buffers.products),
        pointer(buffers.other_products), pointer(buffers.mixed), pointer(buffers.by_product),
        pointer(buffers.by_score), pointer(buffers.moved), pointer(buffers.ffn_sums),
        pointer(buffers.attention_sums), pointer(buffers.outputs), pointer(buffers.gates),
        pointer(buffers.choice), pointer(buffers.by_output), pointer(buffers.by_gate),
        buffers.attention_probs.shape[2] - buffers.by_score.shape[0] + 1, buffers.moments.shape[2],
        buffers.part[FIRST_BLOCK], buffers.part[NUM_BLOCKS], buffers.part[PARTS_LEFT] == 0, dense,
    )  # fmt: skip
