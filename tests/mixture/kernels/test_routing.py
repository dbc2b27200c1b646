"""Gate, routing and losses against their obvious references, with ties and by hand."""

import numba
import numpy as np
import pytest

from motsim.mixture.engine.layout import kernel_batch, kernel_buffers
from motsim.mixture.evaluation import evaluate
from motsim.mixture.kernels.arguments import batch_addresses, buffer_addresses
from motsim.mixture.kernels.routing import (
    add_load_balance,
    expected_coefficient,
    gate_gradient,
    gate_logits,
    selected_coefficients,
    selected_output,
    softmax,
    top_mask,
    top_output,
    total_loss,
)
from motsim.mixture.model import Model, ModelParameters
from motsim.vectors.addresses import store
from motsim.vectors.lanes import WIDTH
from tests.mixture import numpy_reference as reference
from tests.mixture.kernel_cases import IDS, SHAPES, Case

TIGHT = {"rtol": 1e-12, "atol": 1e-14}


@pytest.fixture(params=SHAPES, ids=IDS)
def case(request):
    return Case(request.param)


# --- gate -----------------------------------------------------------------------------------------


def test_gate_logits(case):
    out = np.full(case.by_expert, np.nan)
    gate_logits(case.gate, case.batch, out)
    want = case.gate @ case.tokens.sum(axis=1).T
    np.testing.assert_allclose(out[:, case.at], want, rtol=1e-12, atol=1e-13)
    # Whatever fills a block is a point of it.
    np.testing.assert_array_equal(out, out[:, case.at][:, case.batch.order])


@pytest.mark.parametrize("scale", [1.0, 0.02, 7.0])
def test_softmax_of_logits(case, scale):
    logits = case.rng.standard_normal(case.by_expert)
    out = np.full_like(logits, np.nan)
    softmax(logits, scale, out)
    for b in range(logits.shape[1]):
        np.testing.assert_allclose(out[:, b], reference.softmax(logits[:, b] / scale), **TIGHT)


def test_softmax_of_extreme_logits():
    logits, out = np.zeros((3, WIDTH)), np.full((3, WIDTH), np.nan)
    logits[:, 0] = 1e5, -1e5, 1e5
    logits[:, 1] = -1e300, 0.0, -1e300
    logits[:, 2] = 0.0, np.nan, 0.0
    softmax(logits, 1.0, out)
    np.testing.assert_array_equal(out[:, 0], [0.5, 0.0, 0.5])
    np.testing.assert_array_equal(out[:, 1], [0.0, 1.0, 0.0])
    assert np.isnan(out[:, 2]).all()
    np.testing.assert_allclose(out[:, 3:], 1 / 3, rtol=1e-15)  # the neighbors feel nothing


def test_softmax_leaves_out_what_is_negligible_and_nothing_else():
    """Eight neighbors far below the top are exactly 0; the other bits are the same."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(6, 4 * WIDTH))
    logits[2, WIDTH : 2 * WIDTH] -= 100.0  # e^-100 is below 1e-40
    logits[3, : WIDTH - 1] -= 100.0  # seven of eight are not enough
    logits[4, 2 * WIDTH :] -= 80.0  # e^-80 is not below
    whole, out = np.full_like(logits, np.nan), np.full_like(logits, np.nan)
    softmax(logits, 1.0, whole)
    softmax(logits, 1.0, out, 1e-40)
    assert (out == 0.0).sum() == WIDTH
    assert (out[2, WIDTH : 2 * WIDTH] == 0.0).all()
    np.testing.assert_array_equal(out[out > 0.0], whole[out > 0.0])
    logits[2, WIDTH] = np.nan  # a run that diverged must show it
    softmax(logits, 1.0, out, 1e-40)
    assert np.isnan(out[:, WIDTH]).all()


def test_load_balance_and_gate_gradient(case):
    size = case.by_expert[1]
    gates, choice = case.rng.dirichlet(np.ones(case.experts), (2, size)).transpose(0, 2, 1).copy()
    by_gate = case.rng.normal(size=case.by_expert)
    weights = case.batch.point_weights
    # Of the fraction of points that choose an expert, counted once for `chosen` experts a point.
    balance = 0.7 * case.experts * (choice @ weights)[:, None] * weights
    halved = by_gate.copy()
    add_load_balance(weights, choice, 0.7, 2, halved)
    np.testing.assert_allclose(halved, by_gate + balance / 2, **TIGHT)
    want = by_gate + balance
    add_load_balance(weights, choice, 0.7, 1, by_gate)
    np.testing.assert_allclose(by_gate, want, **TIGHT)
    buffers = kernel_buffers(case.model(), case.batch)
    out = np.full((case.experts, case.coordinates), np.nan)
    gate_gradient(gates, by_gate, case.batch, buffers, out)
    by_h = gates * (want - (gates * want).sum(axis=0))
    np.testing.assert_allclose(by_gate, by_h, rtol=1e-11, atol=1e-14)
    token_sums = case.tokens.sum(axis=1)[case.batch.order]
    np.testing.assert_allclose(out, by_h @ token_sums, rtol=1e-11, atol=1e-12)
    assert (buffers.gate_sums == 0.0).all()  # ready for the next step


# --- routing --------------------------------------------------------------------------------------


def test_top_mask_and_selected_output(case):
    logits = case.rng.integers(-1, 2, case.by_expert).astype(float)  # many ties
    gates, outputs = case.rng.random((2, *logits.shape))
    mask, final = np.full_like(logits, np.nan), np.full(logits.shape[1], np.nan)
    for count in range(1, case.experts + 1):
        top_mask(logits, count, mask)
        want = np.stack([reference.top_mask(h, count) for h in logits.T], axis=1)
        np.testing.assert_array_equal(mask, want)
        selected_output(mask, gates, outputs, final)
        np.testing.assert_allclose(final, (want * gates * outputs).sum(axis=0), **TIGHT)
        if count == 1:
            top_output(logits, gates, outputs, final)
            np.testing.assert_array_equal(final, (want * gates * outputs).sum(axis=0))


def test_ties_go_to_the_lowest_expert():
    logits = np.array([[0.0], [1.0], [1.0], [-1.0]])
    mask = np.empty_like(logits)
    for count, want in ((1, [0, 1, 0, 0]), (2, [0, 1, 1, 0]), (3, [1, 1, 1, 0])):
        top_mask(logits, count, mask)
        assert mask[:, 0].tolist() == want


def test_ties_of_a_whole_model_go_to_the_lowest_expert():
    """Equal gate rows: expert 0 answers for every point, not the equal one after it."""
    case = Case((3, 1, 4, 3, 20, "axes"))
    gate = np.stack([case.gate[0]] * 3)
    got = evaluate(
        Model("mot", 3, "linear"), ModelParameters(case.ffn, case.attention, gate), case.points
    )
    assert (got.routed == 0).all()
    np.testing.assert_allclose(got.prediction, got.outputs[:, 0] / 3, rtol=1e-14)
    assert np.abs(got.outputs[:, 1] - got.outputs[:, 0]).min() > 1e-6


# --- losses and coefficients ----------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_total_loss(case, loss):
    outputs = 3.0 * case.rng.standard_normal(case.size)
    got = total_loss(outputs, case.labels, case.weights, loss == "logistic")
    want = case.weights @ reference.loss_of(loss, case.labels, outputs)
    assert got == pytest.approx(want, rel=1e-13)


@numba.njit(error_model="numpy")
def expected_coefficients(batch, logistic, buffers):
    """`expected_coefficient` of every expert and block, into `by_output`."""
    points, scratch = batch_addresses(batch), buffer_addresses(buffers, True)
    for i in range(buffers.outputs.shape[0]):
        for b in range(0, points.blocks * WIDTH, WIDTH):
            place = i * points.blocks * WIDTH + b
            value = expected_coefficient(points, logistic, scratch, place, b)
            store(scratch.by_output, place, value)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_coefficients(case, loss):
    batch, logistic = case.batch, loss == "logistic"
    buffers = kernel_buffers(case.model(), batch)
    gates, choice, f = buffers.gates, buffers.choice, buffers.outputs
    gates[:], choice[:] = case.rng.random((2, *case.by_expert))
    f[:] = case.rng.normal(size=case.by_expert)
    expected_coefficients(batch, logistic, buffers)
    slope = batch.point_weights * choice * reference.loss_slope(loss, batch.labels, gates * f)
    np.testing.assert_allclose(buffers.by_output, slope * gates, **TIGHT)
    np.testing.assert_allclose(buffers.by_gate, slope * f, **TIGHT)
    mask = np.round(choice)
    by_output, by_gate = np.full((2, *case.by_expert), np.nan)
    points = (batch.labels, batch.point_weights)
    selected_coefficients(points, logistic, gates, mask, f, (by_output, by_gate))
    total = (mask * gates * f).sum(axis=0)
    slope = batch.point_weights * mask * reference.loss_slope(loss, batch.labels, total)
    np.testing.assert_allclose(by_output, slope * gates, **TIGHT)
    np.testing.assert_allclose(by_gate, slope * f, **TIGHT)


@pytest.mark.parametrize(
    ("loss", "label", "output", "value", "slope"),
    [
        ("squared", 1.0, 0.25, 0.28125, -0.75),
        ("squared", -1.0, 0.25, 0.78125, 1.25),
        ("logistic", 1.0, 0.0, np.log(2.0), -0.5),
        ("logistic", 1.0, np.log(3.0), np.log(4 / 3), -0.25),  # 1 / (1 + 3)
        ("logistic", -1.0, np.log(3.0), np.log(4.0), 0.75),  # 3 / (1 + 3)
        ("logistic", 1.0, -1e4, 1e4, -1.0),
        ("logistic", -1.0, -1e4, 0.0, 0.0),
        ("squared", 1.0, np.nan, np.nan, np.nan),
        ("logistic", 1.0, np.nan, np.nan, np.nan),
    ],
)
def test_hand_examples_of_the_losses(loss, label, output, value, slope):
    logistic, near = loss == "logistic", {"rel": 2e-15, "nan_ok": True}
    one, labels, f = np.ones((1, 1)), np.array([label]), np.array([[output]])
    got = total_loss(f[0], labels, one[0], logistic)
    assert got == pytest.approx(value, **near)
    by_output, by_gate = np.empty((2, 1, 1))
    selected_coefficients((labels, one[0]), logistic, one, one, f, (by_output, by_gate))
    assert by_output[0, 0] == pytest.approx(slope, **near)
    batch = kernel_batch(np.eye(3)[None], labels, one[0])
    buffers = kernel_buffers(Model("mot", 1), batch)
    buffers.gates[:], buffers.choice[:], buffers.outputs[:] = 1.0, 1.0, output
    expected_coefficients(batch, logistic, buffers)
    assert buffers.by_output[0, 0] == pytest.approx(slope, **near)
    if abs(output) < 100:
        assert reference.loss_of(loss, label, output) == pytest.approx(value, rel=1e-15)
        assert reference.loss_slope(loss, label, output) == pytest.approx(slope, rel=2e-15)
