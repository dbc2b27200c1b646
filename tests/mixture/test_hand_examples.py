"""Two points worked out on paper: reference and kernels both give these numbers."""

import numpy as np
import pytest

from motsim.mixture.engine.layout import kernel_batch
from motsim.mixture.evaluation import evaluate, loss_and_gradients
from motsim.mixture.model import Model, ModelParameters
from tests.mixture import numpy_reference as reference
from tests.mixture.kernel_cases import as_points

# One point, y = 1, x_1 = (1, 0), x_2 = (0, 1), x_3 = (1, 1); A = diag(ln 2, 0) for both experts.
# Scores x_k . A x_l: columns (ln2, 0, ln2), (0, 0, 0), (ln2, 0, ln2).
# P: columns (.4, .2, .4), (1/3, 1/3, 1/3), (.4, .2, .4); z = (.8, .6), (2/3, 2/3), (.8, .6).
# w_0 = (1, -1): u = .2, 0, .2, f_0 = .4;  w_1 = (1, 1): u = 1.4, 4/3, 1.4, f_1 = 62/15.
# Gate rows (ln3 / 2, 0) and 0 on the token sum (2, 2): h = (ln 3, 0), pi = q = (3/4, 1/4).
X = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
A = np.array([[np.log(2.0), 0.0], [0.0, 0.0]])
P = np.array([[0.4, 1 / 3, 0.4], [0.2, 1 / 3, 0.2], [0.4, 1 / 3, 0.4]])
FFN = np.array([[[1.0, -1.0]], [[1.0, 1.0]]])
GATE = np.array([[np.log(3.0) / 2, 0.0], [0.0, 0.0]])
ONE = np.ones(1)
# Outputs pi f = .3, 31/30; slopes -.7, 1/30.
# By f: q slope pi = -.39375, 1/480.  By pi: q slope f = -.21, 31/900.
# By h: pi (by_pi - mean), mean = -.1575 + 31/3600 = -67/450: -11/240, 11/240; times (2, 2).
C0, C1 = -0.39375, 1 / 480
BY_GATE = np.array([[-11 / 120, -11 / 120], [11 / 120, 11 / 120]])
# By w: c sum_l z_l = c (34/15, 28/15).
BY_FFN = np.array([[[C0 * 34 / 15, C0 * 28 / 15]], [[C1 * 34 / 15, C1 * 28 / 15]]])
# By A_0: S' columns P (t - u) with t = (1, -1, 0): (.32, -.24, -.08), (1/3, -1/3, 0), (.32, ...).
# sum_l S'[k, l] x_l = (.64, .32 + 1/3), (-.48, -.24 - 1/3), (-.16, -.08); sum_k x_k (.)^T:
BY_A0 = C0 * np.array([[0.48, 43 / 75], [-0.64, -49 / 75]])
# By A_1: t = (1, 1, 2), u = 1.4, 4/3, 1.4: (-.16, -.08, .24), (-1/9, -1/9, 2/9), (-.16, ...).
# sums (-.32, -.16 - 1/9), (-.16, -.08 - 1/9), (.48, .24 + 2/9):
BY_A1 = C1 * np.array([[0.16, 0.08 + 1 / 9], [0.32, 0.16 + 1 / 9]])

# The second: x_3 = (2, 0), so that every token is on an axis; one head, no gate, w = (1, -1).
# Scores: columns (ln2, 0, 2 ln2), (0, 0, 0), (2 ln2, 0, 4 ln2).
# P: columns (2, 1, 4) / 7, (1, 1, 1) / 3, (4, 1, 16) / 21; t = (1, -1, 2); u = 9/7, 2/3, 5/3.
# f = 76/21, slope c = 55/21 for y = 1; z = (10, 1) / 7, (1, 1/3), (36, 1) / 21.
AXES_X = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0]])
AXES_P = np.array([[2 / 7, 1 / 3, 4 / 21], [1 / 7, 1 / 3, 1 / 21], [4 / 7, 1 / 3, 16 / 21]])
AXES_C = 55 / 21
AXES_BY_FFN = AXES_C * np.array([[[29 / 7, 11 / 21]]])  # c sum_l z_l
# S' columns P (t - u): (-4, -16, 20) / 49, (1, -5, 4) / 9, (-8, -8, 16) / 63; sum x_k x_l^T S':
AXES_BY_A = AXES_C * np.array([[220 / 147, 1.0], [-256 / 441, -5 / 9]])


def points_of(x):
    return as_points(x[None], ONE, ONE)


def parameters():
    return ModelParameters(FFN, np.stack([A, A]), GATE)


def test_the_examples_take_both_layouts():
    assert kernel_batch(X[None], ONE, ONE).axes.shape[1] == 0
    assert kernel_batch(AXES_X[None], ONE, ONE).axes.tolist() == [[0, 1, 0]]


@pytest.mark.parametrize(
    ("x", "p", "z"),
    [
        (X, P, [[0.8, 0.6], [2 / 3, 2 / 3], [0.8, 0.6]]),
        (AXES_X, AXES_P, [[10 / 7, 1 / 7], [1.0, 1 / 3], [36 / 21, 1 / 21]]),
    ],
    ids=["off the axes", "on the axes"],
)
def test_attention(x, p, z):
    np.testing.assert_allclose(reference.attention_weights(A, x), p, rtol=1e-15)
    np.testing.assert_allclose(reference.attended(A, x), z, rtol=1e-15)
    got = evaluate(Model("mot", 2, "linear"), parameters(), points_of(x))
    for i in range(2):
        np.testing.assert_allclose(got.attention[i, :, :, 0], p, rtol=1e-15)


@pytest.mark.parametrize(
    ("activation", "first", "second"),
    [("linear", 0.4, 62 / 15), ("cubic", 0.016, 2 * 1.4**3 + 64 / 27)],
)
def test_experts_and_gate(activation, first, second):
    for i, want in enumerate((first, second)):
        got = reference.expert_output(FFN[i], A, X, activation)
        assert got == pytest.approx(want, rel=1e-14)
    got = evaluate(Model("mot", 2, activation), parameters(), points_of(X))
    np.testing.assert_allclose(got.outputs, [[first, second]], rtol=1e-14)
    np.testing.assert_allclose(got.logits, [[np.log(3.0), 0.0]], rtol=1e-15)
    np.testing.assert_allclose(got.gates, [[0.75, 0.25]], rtol=1e-15)
    assert got.routed.tolist() == [0]
    assert got.prediction[0] == pytest.approx(0.75 * first, rel=1e-14)
    assert got.loss == pytest.approx(0.5 * (1 - 0.75 * first) ** 2, rel=1e-14)


def test_gradient():
    want = (BY_GATE, BY_FFN, np.stack([BY_A0, BY_A1]))
    p = parameters()
    theirs = reference.gradients(
        p.gate, p.ffn, p.attention, (X[None], ONE, ONE), "linear", "squared"
    )
    value, ours = loss_and_gradients(Model("mot", 2, "linear"), p, points_of(X))
    for got in (theirs, (ours.gate, ours.ffn, ours.attention)):
        for mine, wanted in zip(got, want, strict=True):
            np.testing.assert_allclose(mine, wanted, rtol=1e-13)
    assert value == pytest.approx(0.245, rel=1e-14)  # (1 - .3)^2 / 2


def test_gradient_on_the_axes():
    p = ModelParameters(FFN[:1], A[None], GATE[:0])
    theirs = reference.gradients(
        p.gate, p.ffn, p.attention, (AXES_X[None], ONE, ONE), "linear", "squared"
    )
    value, ours = loss_and_gradients(Model("single", 1, "linear"), p, points_of(AXES_X))
    for _, by_ffn, by_attention in (theirs, (ours.gate, ours.ffn, ours.attention)):
        np.testing.assert_allclose(by_ffn, AXES_BY_FFN, rtol=1e-13)
        np.testing.assert_allclose(by_attention[0], AXES_BY_A, rtol=1e-13)
    assert value == pytest.approx(0.5 * AXES_C**2, rel=1e-14)
