"""A block and its image, which share products and scores, against every point on its own."""

from itertools import product

import numpy as np
import pytest

from motsim.mixture import kernels
from motsim.mixture.data import Mixture, make_signals
from motsim.mixture.engine.layout import (
    count_tokens,
    kernel_batch,
    kernel_buffers,
    kernel_parameters,
    kernel_rule,
    summed_over_queries,
    without_images,
)
from motsim.mixture.engine.parts import in_parts, mixed_batch, padded
from motsim.mixture.engine.reduction import reduce_problem
from motsim.mixture.kernels.passes import pass_groups
from motsim.mixture.kernels.phases import FORWARD, PassMode
from motsim.mixture.model import Model, ModelParameters, Routing, initial_parameters
from motsim.mixture.points import population
from motsim.mixture.schedule import FROZEN, Descent, Stage
from motsim.mixture.training import train
from tests.mixture.kernel_cases import random_tokens

EXPERTS, COORDINATES, HALF = 3, 6, 44
MODELS = {
    "cubic": Model("mot", EXPERTS, "cubic"),
    "linear": Model("mot", EXPERTS, "linear"),
    "neurons": Model("mot", EXPERTS, "cubic", 2),
    "two experts": Model("mot", EXPERTS, "cubic", top_k=2),
    "shared": Model("shared", EXPERTS, "cubic", 2),
    "single": Model("single", 1, "linear", 2),
    "single, cubic": Model("single", 1, "cubic", 3),
    "moe": Model("moe", EXPERTS, "cubic"),
    "linear moe": Model("moe", EXPERTS, "linear", 2),
}


class Problem:
    """A mirrored population of random tokens, laid out with images and without."""

    def __init__(self, model, tokens="axes", length=6, seed=0):
        rng = np.random.default_rng(seed)
        self.rng, self.model, r = rng, model, COORDINATES
        x = random_tokens(rng, HALF, length, r, tokens)
        image = -x
        image[:, 0] = x[:, 0]
        self.tokens = x = np.concatenate([x, image])
        labels, weights = rng.choice([-1.0, 1.0], 2 * HALF), rng.dirichlet(np.ones(2 * HALF))
        self.alone = kernel_batch(x, labels, weights)
        self.paired = kernel_batch(x, labels, weights, mirrored=True)
        assert self.alone.axes.shape[1] == self.paired.axes.shape[1] == 3 * (tokens == "axes")
        assert len(self.paired.axes) == 2 * len(self.paired.tokens)
        self.parameters = kernel_parameters(
            ModelParameters(
                rng.standard_normal((model.num_experts, model.num_neurons, r)),
                rng.standard_normal((model.num_attentions, r, r)),
                rng.standard_normal((model.num_experts if model.gated else 0, r)),
            )
        )
        self.noise = rng.standard_normal((model.num_experts, 2 * HALF))

    def results(self, batch, *, logistic=False, routing="expected", summed=False, **changes):
        """Loss and gradients of a step."""
        rule = kernel_rule(self.model, "logistic" if logistic else "squared", Routing(routing))
        rule, buffers = rule._replace(**changes), kernel_buffers(self.model, batch)
        kernels.refresh_attention(self.parameters, batch, buffers)
        if summed:
            buffers = buffers._replace(
                attention_probs=summed_over_queries(buffers.attention_probs, count_tokens(batch))
            )
        for name in ("products", "mixed", "other_products", "by_product", "by_score", "outputs"):
            getattr(buffers, name)[:] = np.nan
        value, gradient = (kernels.Parameters(*(a.copy() for a in self.parameters)) for _ in "ab")
        noise = np.ascontiguousarray(self.noise[:, batch.order])[np.newaxis]
        losses = np.empty(1)
        kernels.descend(value, batch, rule, buffers, noise, gradient, -1.0, losses)
        return [losses, *gradient]


def distance(ours, theirs):
    """Largest difference, by the largest number of each array."""
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if b.size]
    return max(np.abs(a - b).max() / np.abs(b).max() for a, b in pairs)


@pytest.mark.parametrize(
    ("model", "tokens", "logistic"), list(product(MODELS, ("axes", "distinct"), (False, True)))
)
def test_the_same_gradients(model, tokens, logistic):
    """Attention trained and frozen, weights trained and not, expected and sampled routing."""
    case = Problem(MODELS[model], tokens)
    for options in {}, {"trains_attention": False}, {"ffn_rate": 0.0}, {"routing": "sampled"}:
        want = case.results(case.alone, logistic=logistic, **options)
        assert distance(case.results(case.paired, logistic=logistic, **options), want) < 1e-13
    # Negative control: tokens of the image that are off by 1e-6.
    wrong = without_images(case.paired)
    wrong.tokens[1::2, :, 1:] *= 1 + 1e-6
    want = case.results(case.alone, logistic=logistic)
    assert distance(case.results(wrong, logistic=logistic), want) > 1e-9


@pytest.mark.parametrize("tokens", ["axes", "distinct"])
@pytest.mark.parametrize("model", ["cubic", "neurons", "shared", "linear moe"])
def test_experts_out_of_use(model, tokens):
    """Passed over in one of a block and its image, in none, and (points that are alike) in both."""
    case = Problem(MODELS[model], tokens)
    case.parameters.gate[:] *= 200.0
    want = case.results(case.alone)
    options = {"negligible": 1e-40, "dense_above": 2.0}
    for batch in case.alone, case.paired:
        assert distance(case.results(batch, **options), want) < 1e-13
    logits = case.parameters.gate @ case.tokens.sum(axis=1).T
    q = np.exp(logits - logits.max(axis=0))
    over = (q[:, case.paired.order].reshape(len(q), -1, 2, kernels.WIDTH) < 1e-40).all(axis=3)
    assert set(over.sum(axis=2).ravel()) >= ({0, 1, 2} if tokens == "axes" else {0, 1})


@pytest.mark.parametrize("tokens", ["axes", "distinct"])
def test_attention_summed_over_queries(tokens):
    case = Problem(MODELS["linear"], tokens)
    options = {"trains_attention": False, "summed": True}
    want = case.results(case.alone, trains_attention=False)
    for batch in (case.alone, case.paired):
        assert distance(case.results(batch, **options), want) < 1e-13


@pytest.mark.parametrize("tokens", ["axes", "distinct"])
def test_points_are_the_same_with_and_without_images(tokens):
    case = Problem(MODELS["cubic"], tokens)
    once = without_images(case.paired)
    assert without_images(case.alone) is case.alone
    assert len(once.tokens) == len(once.axes)
    at = np.argsort(case.alone.order[case.alone.point_weights > 0.0])
    other = np.argsort(once.order[once.point_weights > 0.0])

    def of_points(batch, places):
        blocks, r, others, width = batch.tokens.shape
        by_point = batch.tokens.transpose(0, 3, 2, 1).reshape(blocks * width, others, r)
        return by_point[batch.point_weights > 0.0][places]

    np.testing.assert_array_equal(of_points(once, other), of_points(case.alone, at))
    np.testing.assert_array_equal(once.tokens.sum(axis=2), case.paired.token_sums.reshape(
        COORDINATES, -1, kernels.WIDTH).transpose(1, 0, 2))  # fmt: skip


@pytest.mark.parametrize("count", [2, 3, 5])
def test_a_block_and_its_image_stay_in_one_part(count):
    """Also where padding is needed; the parts are the whole."""
    case = Problem(MODELS["moe"])
    batch = padded(case.paired, count)
    assert len(batch.tokens) % count == 0
    parts = in_parts(batch, count)
    one = kernel_buffers(case.model, kernels.Batch(*(a[0] for a in parts[:-1]), batch.metric))
    rule = kernel_rule(case.model, "squared", Routing())
    value, gradient = (kernels.Parameters(*(a.copy() for a in case.parameters)) for _ in "ab")
    losses, noise = np.empty(1), np.zeros((1, 0, 0))
    kernels.descend_in_parts(value, parts, rule, one, noise, gradient, -1.0, losses)
    assert distance([losses, *gradient], case.results(case.paired)) < 1e-13


def test_tokens_mixed_once_are_those_of_every_point():
    """Images have attention weights of their own: mixed tokens are not theirs up to a sign."""
    case = Problem(MODELS["linear"], "distinct")
    sums = []
    for batch in (case.alone, case.paired):
        buffers = kernel_buffers(case.model, batch)
        kernels.refresh_attention(case.parameters, batch, buffers)
        weights = summed_over_queries(buffers.attention_probs, count_tokens(batch))[0]
        mixed = mixed_batch(batch, weights).tokens[:, :, 0].transpose(0, 2, 1)
        of_points = mixed.reshape(-1, COORDINATES)[batch.point_weights > 0.0]
        sums.append(of_points[np.argsort(batch.order[batch.point_weights > 0.0])])
    np.testing.assert_allclose(sums[1], sums[0], rtol=1e-12, atol=1e-14)


def weights_of_both(rows, length):
    """Attention weights (L, L) of block and image, from what is kept of both (L + 1, L + 3)."""
    own, image = np.empty((2, length, length))
    own[0], image[0] = rows[0, :length], rows[-1, :length]
    own[1:, 0], image[1:, 0] = rows[1:-1, 0], rows[1:-1, length]
    own[1:, 1:] = rows[1:-1, 1:length] * rows[1:-1, length + 1, np.newaxis]
    image[1:, 1:] = rows[1:-1, 1:length] * rows[1:-1, length + 2, np.newaxis]
    return np.stack([own, image])


@pytest.mark.parametrize("scale", [1.0, 30.0, 1e4])
@pytest.mark.parametrize("tokens", ["axes", "distinct"])
def test_attention_of_a_block_and_its_image(tokens, scale):
    """Also where scores are thousands, and the first key's is far above or below all others."""
    case = Problem(MODELS["cubic"], tokens)
    case.parameters.attention[:] *= scale
    kept = []
    for batch in (case.alone, case.paired):
        buffers = kernel_buffers(case.model, batch)
        kernels.refresh_attention(case.parameters, batch, buffers)
        kept.append(buffers.attention_probs)
    alone, paired = kept
    places = {point: place for place, point in enumerate(case.alone.order)}
    blocks, width = len(case.paired.axes), kernels.WIDTH
    order = case.paired.order.reshape(blocks, width)
    for expert, pair, lane in product(range(EXPERTS), range(blocks // 2), range(width)):
        got = weights_of_both(paired[expert, pair, :, :, lane], 6)
        for image in range(2):
            place = places[order[2 * pair + image, lane]]
            want = alone[expert, place // width, :, :, place % width]
            np.testing.assert_allclose(got[image], want, rtol=1e-11 * scale, atol=1e-300)
    assert np.isfinite(paired).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_stays_in_its_lane(bad):
    case = Problem(MODELS["cubic"])
    rule, mode = kernel_rule(case.model, "squared", Routing()), PassMode(FORWARD, False)
    clean, buffers = (kernel_buffers(case.model, case.paired) for _ in "ab")
    pass_groups(case.parameters, case.paired, rule, clean, case.parameters, mode)
    case.paired.tokens[1, 2, 0, 4] = bad
    pass_groups(case.parameters, case.paired, rule, buffers, case.parameters, mode)
    lane = np.zeros(len(case.paired.labels), dtype=bool)
    lane[[2 * kernels.WIDTH + 4, 3 * kernels.WIDTH + 4]] = True
    assert not np.isfinite(buffers.outputs[:, lane]).any()
    np.testing.assert_array_equal(buffers.outputs[:, ~lane], clean.outputs[:, ~lane])


# --- populations ----------------------------------------------------------------------------------


def a_population(**changes):
    mixture = Mixture(3, 8, **{"num_tokens": 5, "noise_std": 0.3, **changes})
    return population(mixture, make_signals(mixture, 0), num_nodes=2, seed=1)


def reduced(points, **options):
    model = Model("mot", EXPERTS)
    start = initial_parameters(model, 8, init_std=0.1, attention_scale=1.0, seed=2)
    return reduce_problem(model, points, start, **options)


def test_populations_with_noise_have_images():
    for changes in {}, {"similarity": 0.4}, {"noise_support": "class_complement"}:
        batch = reduced(a_population(**changes)).batch
        assert len(batch.axes) == 2 * len(batch.tokens)
    clean = reduced(a_population(num_tokens=3)).batch  # nothing off the axes
    assert len(clean.axes) == len(clean.tokens)
    alone = reduced(a_population(), use_mirror=False).batch
    assert len(alone.axes) == len(alone.tokens)


def test_points_that_are_no_mirrors_have_no_images():
    """Whatever they are said to be: one token of one point is off."""
    points = a_population()
    points.tokens[-1, 3, 2] += 1e-6
    batch = reduced(points).batch
    assert len(batch.axes) == len(batch.tokens)


@pytest.mark.parametrize("activation", ["cubic", "linear"])
@pytest.mark.parametrize("changes", [{}, {"similarity": 0.4}], ids=["orthogonal", "similar"])
def test_training_is_the_same(activation, changes):
    """Through stages that train and freeze attention."""
    points, model = a_population(**changes), Model("mot", EXPERTS, activation)
    start = initial_parameters(model, 8, init_std=0.1, attention_scale=1.0, seed=2)
    part = Descent(0.2)
    schedule = [
        Stage("I", 30, Descent(0.02, "normalized_gd"), FROZEN, part),
        Stage("II", 10, FROZEN, Descent(0.1, "normalized_gd"), part),
        Stage("III", 30, part, FROZEN, part, Routing(scale=0.05)),
    ]
    with_images = train(model, points, schedule, start, trace_points=10**6)
    without = train(model, points, schedule, start, trace_points=10**6, use_mirror=False)
    np.testing.assert_allclose(with_images.trace_losses, without.trace_losses, rtol=1e-10)
    for name in ("ffn", "attention", "gate"):
        one, other = (getattr(t.parameters, name) for t in (with_images, without))
        np.testing.assert_allclose(one, other, atol=1e-10 * np.abs(other).max())
