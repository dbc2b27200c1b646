"""Outputs and gradients of every model against plain NumPy, on ordinary and degenerate points."""

import re
import sys
from dataclasses import replace

import numba
import numpy as np
import pytest

from motsim.mixture import kernels
from motsim.mixture.engine.layout import kernel_buffers, kernel_parameters, kernel_rule
from motsim.mixture.engine.parts import in_parts
from motsim.mixture.evaluation import evaluate, loss_and_gradients
from motsim.mixture.model import ModelParameters, Routing
from motsim.vectors.compiling import PACKAGE, SOURCES, kernel_cache
from motsim.vectors.lanes import cached
from tests.mixture import numpy_reference as reference
from tests.mixture.kernel_cases import IDS, SHAPES, Case

KINDS = ["mot", "single", "moe", "shared"]
TIGHT = {"rtol": 1e-12, "atol": 1e-13}
#: How a function of a kernel is decorated.
MADE = re.compile(r"^@(numba\.njit|(kernel|cached|inlined|internal|intrinsic|written_out)\b)", re.M)


@pytest.fixture(params=SHAPES, ids=IDS)
def case(request):
    return Case(request.param)


def test_the_shapes_use_every_layout():
    """Signal tokens alone, with other tokens after them, and other tokens alone."""
    kinds = {(c.batch.axes.shape[1], c.batch.tokens.shape[2] > 0) for c in map(Case, SHAPES)}
    assert kinds == {(3, False), (3, True), (0, True)}


# --- forward --------------------------------------------------------------------------------------


def test_attention_weights(case):
    model = case.model()
    got = evaluate(model, case.parameters(model), case.points).attention
    for i, matrix in enumerate(case.attention):
        want = np.stack([reference.attention_weights(matrix, x) for x in case.tokens], axis=2)
        np.testing.assert_allclose(got[i], want, **TIGHT)
    np.testing.assert_allclose(got.sum(axis=1), 1.0, rtol=1e-14)


@pytest.mark.parametrize("activation", ["cubic", "linear"])
@pytest.mark.parametrize("kind", KINDS)
def test_outputs_of_every_expert(case, kind, activation):
    model = case.model(kind, activation)
    parameters = case.parameters(model)
    got = evaluate(model, parameters, case.points).outputs
    want = [
        [
            reference.expert_output(w, reference.matrix_of(parameters.attention, i), x, activation)
            for i, w in enumerate(case.ffn)
        ]
        for x in case.tokens
    ]
    np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("shape", [SHAPES[2], SHAPES[3], SHAPES[4]], ids=str)
def test_large_scores_survive(shape):
    """Scores near +-1e5: attention is on one key, or shared between equal ones, not NaN."""
    case = Case(shape)
    case.tokens[:, 2] = case.tokens[:, 0]
    model = case.model()
    sharp = ModelParameters(case.ffn, 1e5 * case.attention, case.gate)
    got = evaluate(model, sharp, replace(case.points, tokens=case.tokens))
    for i, matrix in enumerate(sharp.attention):
        for b, x in enumerate(case.tokens):
            scores = x @ matrix @ x.T
            top = scores > scores.max(axis=0) - 1e-6 * np.abs(scores).max()
            clear = (top | (scores < scores.max(axis=0) - 50)).all(axis=0)
            want = (top / top.sum(axis=0))[:, clear]
            np.testing.assert_allclose(got.attention[i, :, clear, b].T, want, atol=1e-6)
    assert np.isfinite(got.outputs).all()
    half = np.isclose(got.attention, 0.5, atol=1e-6).sum()
    assert half > 10
    assert np.isclose(got.attention, 1.0, atol=1e-6).sum() > 10


# --- gradients ------------------------------------------------------------------------------------


def assert_reference_gradients(case, model, loss, routing, noise):
    """Gradients and loss are those of the plain reference."""
    p = case.parameters(model)
    want = reference.gradients(
        p.gate, p.ffn, p.attention, case.data, model.activation, loss, noise=noise,
        routing_scale=routing.scale, top_k=model.top_k, load_balance=routing.load_balance,
    )  # fmt: skip
    value, got = loss_and_gradients(
        model, p, case.points, loss=loss, routing=routing, routing_noise=noise
    )
    for ours, theirs in zip((got.gate, got.ffn, got.attention), want, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-11 * max(1, abs(value)))
    mean = reference.expected_loss(
        p.gate, p.ffn, p.attention, case.data, model.activation, loss, model.top_k
    )
    assert value == pytest.approx(mean, rel=1e-12)


@pytest.mark.parametrize("routing", ["expected", "sampled", "balanced"])
@pytest.mark.parametrize("activation", ["cubic", "linear"])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_every_model(case, kind, activation, routing):
    loss = "logistic" if activation == "linear" else "squared"
    top_k = min(2, case.experts) if routing == "sampled" else 1
    model = case.model(kind, activation, top_k)
    noise = case.rng.gumbel(size=(case.size, case.experts)) if routing != "expected" else None
    mode = "expected" if noise is None else "sampled"
    balance = 0.4 if routing == "balanced" else 0.0
    assert_reference_gradients(case, model, loss, Routing(mode, load_balance=balance), noise)


@pytest.mark.parametrize("size", [1, 7, 8, 9])
@pytest.mark.parametrize("tokens", ["axes", "axes and others", "distinct"])
@pytest.mark.parametrize("kind", KINDS)
def test_points_that_do_not_fill_their_blocks(kind, tokens, size):
    """One point, one less than a block, a block, one more; routing of another scale."""
    length = 5 if tokens == "axes and others" else 3
    case = Case((3, 2, 5, length, size, tokens.split()[0]))
    routing = Routing(scale=0.5, load_balance=0.2)
    assert_reference_gradients(case, case.model(kind), "squared", routing, None)
    if size == 1:
        return
    # Negative control: the last point, alone in its block if there are nine, does count.
    case.data = tuple(a[:-1] for a in case.data)
    with pytest.raises(AssertionError):
        assert_reference_gradients(case, case.model(kind), "squared", routing, None)


def test_the_reference_is_the_gradient_of_its_own_loss():
    """Central differences of the reference alone (single: training loss = expected loss)."""
    case = Case(SHAPES[2])
    none = case.gate[:0]

    def value(ffn, attention):
        return reference.expected_loss(none, ffn, attention, case.data, "cubic", "logistic")

    _, by_ffn, by_attention = reference.gradients(
        none, case.ffn, case.attention, case.data, "cubic", "logistic"
    )
    step = 1e-6
    for seed in range(3):
        rng = np.random.default_rng(seed)
        a, b = rng.standard_normal(case.ffn.shape), rng.standard_normal(case.attention.shape)
        up = value(case.ffn + step * a, case.attention + step * b)
        down = value(case.ffn - step * a, case.attention - step * b)
        along = (by_ffn * a).sum() + (by_attention * b).sum()
        assert (up - down) / (2 * step) == pytest.approx(along, rel=1e-6)
        assert (up - down) / (2 * step) != pytest.approx((by_ffn * a).sum(), rel=1e-3)


# --- compilation ----------------------------------------------------------------------------------


def test_kernels_compile_at_level_one_and_other_functions_as_ever(monkeypatch):
    """What numba is told while it compiles one of ours, and while it compiles a user's."""
    levels = []
    compile_extra = numba.core.compiler.compile_extra

    def noting(*arguments, **options):
        levels.append(int(numba.config.OPT))
        return compile_extra(*arguments, **options)

    monkeypatch.setattr(numba.core.compiler, "compile_extra", noting)
    with kernel_cache():
        ours = numba.njit(lambda x: 2.0 * x)
    theirs = numba.njit(lambda x: 3.0 * x)
    assert (ours(1.5), theirs(1.5)) == (3.0, 4.5)
    assert levels == [1, int(numba.config.OPT)]
    assert int(numba.config.OPT) == 3


def test_a_change_in_any_module_with_kernels_changes_the_cache():
    """Else an edited kernel would go on running as it was compiled before."""
    followed = {path for place in SOURCES for path in PACKAGE.glob(place)}
    with_kernels = {path for path in PACKAGE.rglob("*.py") if MADE.search(path.read_text())}
    assert with_kernels
    assert with_kernels <= followed


# --- memory ---------------------------------------------------------------------------------------


def test_arrays_have_as_many_references_after_a_run_as_before(case):
    """Kernels do not count them: one too few would free an array that is in use."""
    model = case.model()
    value = kernel_parameters(case.parameters(model))
    gradient = kernels.Parameters(*(np.zeros_like(a) for a in value))
    buffers, rule = kernel_buffers(model, case.batch), kernel_rule(model, "squared", Routing())
    noise, losses = np.zeros((1, 0, 0)), np.empty(20)
    parts = in_parts(case.batch, 1)
    arrays = [*value, *gradient, *buffers, *parts, noise, losses]

    def references():
        return [sys.getrefcount(array) for array in arrays]

    def run(rule, noise):
        rule = rule._replace(route=int(kernels.choose_route(value, case.batch, rule, buffers)))
        kernels.descend_in_parts(value, parts, rule, buffers, noise, gradient, -1.0, losses)

    before = references()
    kept = arrays[0]  # one more
    assert references() != before
    del kept
    run(rule, noise)
    run(rule._replace(trains_attention=False), noise)
    run(rule._replace(sampled=True), np.zeros((1, *case.by_expert)))
    assert references() == before


def test_a_kernel_that_makes_an_array_does_not_compile():
    """Nothing counts its references, so nothing would free it."""

    def first(size):
        return np.ones(size)[0]

    assert numba.njit(first)(3) == 1.0
    with pytest.raises(numba.TypingError, match="ones"):
        cached(first)(3)
