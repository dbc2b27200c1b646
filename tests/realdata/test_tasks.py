"""Tokens, tasks and splits made from images, texts and archives."""

import numpy as np
import pytest

from motsim.minibatch.network import Network, matched_network, num_parameters, work
from motsim.minibatch.routed import dispatch_shares, routing_measures
from motsim.mixture.model import Model
from motsim.realdata import Images, Sequences, Texts
from motsim.realdata.source import split_rows
from motsim.realdata.tasks import from_sequences, make_tasks, split
from motsim.realdata.tokens import image_tokens, patch_count, text_tokens

ROWS = np.arange(30)


def images(seed=0, depth=1):
    draw = np.random.default_rng(seed)
    pixels = draw.integers(0, 17, (40, 4, 6, depth)).astype(np.uint8)
    return Images(pixels, draw.integers(0, 4, 40), 16)


# --- tokens ---------------------------------------------------------------------------------------


def test_the_sum_of_tokens_with_a_projection_by_place_is_the_projected_image():
    pytest.importorskip("sklearn")
    from sklearn.decomposition import PCA

    tokens = image_tokens(images(), ROWS, patch=2, dim=5)
    assert tokens.shape == (40, 6, 5)
    flat = images().pixels.reshape(40, -1) / 16.0
    plain = PCA(5, svd_solver="full").fit(flat[:30]).transform(flat)
    sums = tokens.sum(axis=1)
    ratio = np.abs(sums / plain)
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-9)


@pytest.mark.parametrize("position", ["place", "additive"])
@pytest.mark.parametrize("projection", ["pca", "random"])
def test_tokens_have_mean_square_norm_one_over_the_training_rows(position, projection):
    pytest.importorskip("sklearn")
    options = {"patch": 2, "dim": 5, "projection": projection, "position": position}
    found = images(depth=3)
    tokens = image_tokens(found, ROWS, **options)
    assert (tokens[ROWS] ** 2).sum(axis=2).mean() == pytest.approx(1.0)
    changed = found.pixels.copy()
    changed[30:] = 0  # other images change nothing
    other = image_tokens(Images(changed, found.labels, 16), ROWS, **options)
    np.testing.assert_array_equal(other[ROWS], tokens[ROWS])


def test_one_patch_moves_one_token():
    found = images()
    changed = found.pixels.copy()
    changed[35, 2:4, 4:6] += 1  # the last of 2 x 3 places
    options = {"patch": 2, "dim": 5, "projection": "random"}
    first = image_tokens(found, ROWS, **options)[35]
    second = image_tokens(Images(changed, found.labels, 16), ROWS, **options)[35]
    moved = (np.abs(first - second) > 1e-12).any(axis=1)
    assert moved.tolist() == [False] * 5 + [True]


def test_a_patch_that_does_not_fill_the_image_is_refused():
    assert patch_count((8, 8), 2) == 16
    with pytest.raises(ValueError, match=r"8 x 8 pixels; got 3: use 2"):
        patch_count((8, 8), 3)


def test_texts_of_one_class_lie_together():
    pytest.importorskip("sklearn")
    words = {0: "orbit moon rocket launch", 1: "faith prayer church hymn"}
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 2, 40)
    texts = Texts(
        tuple(" ".join(draw.choice(words[int(y)].split(), 12)) for y in labels), labels, ("a", "b")
    )
    tokens = text_tokens(texts, ROWS, num_tokens=3, dim=4)
    assert tokens.shape == (40, 3, 4)
    sums = tokens.sum(axis=1)
    centers = np.stack([sums[:30][labels[:30] == y].mean(axis=0) for y in (0, 1)])
    near = ((sums[30:, None] - centers) ** 2).sum(axis=2).argmin(axis=1)
    assert (near == labels[30:]).all()
    empty = Texts(("", *texts.documents[1:]), labels, ("a", "b"))
    assert not text_tokens(empty, ROWS, num_tokens=3, dim=4)[0].any()


# --- tasks ----------------------------------------------------------------------------------------


def made(scheme, num_tasks, amplitude=1.0, seed=0):
    draw = np.random.default_rng(1)
    labels = np.arange(60) % 6
    tokens = draw.normal(size=(60, 3, 4))
    samples = make_tasks(
        tokens, labels, scheme=scheme, num_tasks=num_tasks, amplitude=amplitude, seed=seed
    )
    return tokens, labels, samples


def test_pairs_share_no_class():
    _, labels, samples = made("pairs", 3)
    seen = [set(labels[samples.rows[samples.tasks == n]].tolist()) for n in range(3)]
    assert [len(s) for s in seen] == [2, 2, 2]
    assert set.union(*seen) == set(range(6))
    for n in range(3):
        part = samples.tasks == n
        assert len(set(zip(labels[samples.rows[part]], samples.targets[part], strict=True))) == 2


def test_groups_are_halves_and_contradict():
    _, _, samples = made("groups", 5)
    rules = [
        tuple(samples.targets[samples.tasks == n][np.argsort(samples.rows[samples.tasks == n])][:6])
        for n in range(5)
    ]
    assert len(set(rules)) == 5
    assert all(sum(rule) == 0 for rule in rules)
    assert (np.ptp(np.array(rules), axis=0) == 2).any()  # a class with both labels
    assert len(samples) == 300


def test_relabeled_is_a_permutation_of_each_task():
    _, labels, samples = made("relabeled", 2)
    assert samples.num_outputs == 6
    for n in range(2):
        part = samples.tasks == n
        pairs = set(zip(labels[samples.rows[part]], samples.targets[part], strict=True))
        assert len(pairs) == 6
        assert {t for _, t in pairs} == set(range(6))


def test_the_task_token_is_orthogonal_to_every_other():
    tokens, _, samples = made("groups", 2, amplitude=1.5)
    inputs = samples.inputs(np.arange(len(samples)))
    assert inputs.shape == (120, 4, 6)
    np.testing.assert_array_equal(inputs[:, :3, :4], tokens[samples.rows])
    assert not inputs[:, :3, 4:].any()
    np.testing.assert_array_equal(inputs[:, 3, 4 + samples.tasks][np.arange(120), range(120)], 1.5)
    np.testing.assert_allclose((inputs[:, 3] ** 2).sum(axis=1), 1.5**2)
    np.testing.assert_allclose(samples.sums(np.arange(120)), inputs.sum(axis=1), atol=1e-14)


def test_without_amplitude_there_is_no_task_token():
    tokens, _, samples = made("pairs", 3, amplitude=0.0)
    np.testing.assert_array_equal(samples.inputs(np.arange(4)), tokens[samples.rows[:4]])


def test_no_sequence_is_in_two_parts_and_shuffling_keeps_the_test_split():
    _, _, samples = made("groups", 4)
    parts = np.arange(30), np.arange(30, 40), np.arange(40, 60)
    whole = split(samples, parts)
    for part, rows in zip((whole.train, whole.validation, whole.test), parts, strict=True):
        assert set(part.rows.tolist()) == set(rows.tolist())
        assert len(part) == 4 * len(rows)
    mixed = split(samples, parts, shuffle_labels=True)
    np.testing.assert_array_equal(mixed.test.targets, whole.test.targets)
    assert (mixed.train.targets != whole.train.targets).mean() > 0.3
    with pytest.raises(ValueError, match="the validation split has no sample"):
        split(samples, (parts[0], parts[1][:0], parts[2]))


@pytest.mark.parametrize(
    ("scheme", "tasks", "rule"),
    [
        ("pairs", 4, "'pairs' must be 1 to 3 with 6 classes; got 4"),
        ("groups", 21, "'groups' must be 1 to 20 with 6 classes; got 21"),
        ("classes", 5, "'classes' must be 6 to 6 with 6 classes; got 5"),
        ("paris", 2, "scheme must be one of pairs, groups, relabeled, classes; got 'paris'"),
    ],
)
def test_wrong_schemes_are_refused(scheme, tasks, rule):
    with pytest.raises(ValueError, match=rule):
        made(scheme, tasks)


def test_sequences_keep_their_own_tasks_and_labels():
    tokens = np.ones((4, 2, 3))
    found = from_sequences(Sequences(tokens, np.array([1, -1, 1, -1]), np.array([0, 1, 0, 1])), 2.0)
    assert (found.num_outputs, found.num_tasks) == (1, 2)
    assert (found.inputs(np.arange(4))[..., 3] == 2.0).all()
    multi = from_sequences(Sequences(tokens, np.array([0, 1, 2, 2]), np.array([0, 1, 0, 1])))
    assert multi.num_outputs == 3


@pytest.mark.parametrize(("most", "share"), [(0, 0.3), (20, 0.3), (0, 0.1), (100, 0.5)])
def test_a_published_test_set_stays_one(most, share):
    found = Images(images().pixels, np.arange(40) % 10, 16, num_train=28)
    train, checks, test = split_rows(found, 0.2, share, most)
    used = min(most or 40, 40)
    assert len(test) == min(round(share * used), 12)
    assert len(checks) == round(0.2 * used)
    assert min(test) >= 28
    assert max([*train, *checks]) < 28
    assert len({*train, *checks, *test}) == len(train) + len(checks) + len(test) <= used
    assert len(train) == min(28, used - len(test)) - len(checks)


def test_rows_without_a_published_split_are_all_used_once():
    parts = split_rows(images(), 0.25, 0.5)
    assert [len(p) for p in parts] == [10, 10, 20]
    assert sorted(np.concatenate(parts)) == list(range(40))
    other = split_rows(images(), 0.25, 0.5, seed=1)
    assert set(parts[2]) != set(other[2])


# --- sizes and routing ----------------------------------------------------------------------------


@pytest.mark.parametrize("outputs", [1, 3, 10])
@pytest.mark.parametrize("neurons", [1, 4])
@pytest.mark.parametrize("dim", [16, 24, 40])
def test_matched_models_are_equally_large(outputs, neurons, dim):
    reference = Network(Model("mot", 8, "cubic", neurons), outputs)
    wanted = num_parameters(reference, dim)
    for kind in ("single", "moe", "shared"):
        found = matched_network(kind, reference, dim)
        assert abs(num_parameters(found, dim) / wanted - 1) <= 0.02
        assert found.num_outputs == outputs


def test_work_counts_the_products():
    """One expert on two tokens of three dimensions: by hand."""
    network = Network(Model("mot", 4, "cubic", 2))
    by_hand = 4 * 3 + 2 * 3 * 2 + 2 * 3 * 3 + 2 * 2 * 3 + 2 * 2 * 2
    assert work(network, 3, 2) == by_hand
    single = Network(Model("single", 4, "cubic", 2))
    assert work(single, 3, 2) == 4 * (by_hand - 4 * 3)


def test_routing_measures():
    even = dispatch_shares(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), 3, 2)
    found = routing_measures(even)
    assert found["dispatch_entropy"] == pytest.approx(np.log(2))
    assert found["effective_experts"] == pytest.approx(2.0)
    assert (found["used_experts"], found["largest_share"]) == (2, 0.5)
    divided = dispatch_shares(np.array([0] * 96 + [1] * 4), np.array([0] * 96 + [1] * 4), 3, 2)
    found = routing_measures(divided)
    assert found["dispatch_entropy"] == 0.0
    assert found["used_experts"] == 1
