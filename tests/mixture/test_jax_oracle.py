"""The oracle itself, against one hand computation and finite differences."""

import numpy as np
import pytest

from tests.mixture.jax_oracle import loss_and_gradients

# (kind, number of attention matrices, has a gate)
KINDS = [("mot", 3, True), ("single", 3, False), ("moe", 0, True), ("shared", 1, True)]
PARTS = ("ffn", "attention", "gate")
ROUTINGS = [("expected", 1), ("sampled", 1), ("sampled", 2)]


def test_hand_computed_example():
    # One sample, d = 1, L = 2, x = (1, 2), y = 1; two experts, J = 1, A_i = 0, cubic.
    # Uniform attention: z_l = (1 + 2)/2 = 3/2 for both queries. w = (2/3, 4/3):
    #   u = (1, 2) at each of the two queries, f = (2, 16), since f_i = 2 u_i^3.
    # Gate: Σ x = 3, Θ = (ln 3 / 3, 0), h = (ln 3, 0), π = (3/4, 1/4), λ = 1: q = π.
    #   π f = (3/2, 4); ℓ = ½(1 - 3/2)² = 1/8 and ½(1 - 4)² = 9/2.
    # Training loss, expected routing: 3/4 · 1/8 + 1/4 · 9/2 = 3/32 + 36/32 = 39/32.
    # Noise-free loss: expert 0 is routed to, 1/8.
    # ∂/∂f_i = q_i (π_i f_i - y) π_i: 3/4 · 1/2 · 3/4 = 9/32 and 1/4 · 3 · 1/4 = 3/16.
    # ∂f_i/∂w_i = Σ_l 3 u² z = 2 · 3 · u² · 3/2 = 9 u²: 9 and 36,
    #   so ∂/∂w = (81/32, 27/4).
    # ∂/∂A_i = w_i Σ_l 3 u² ∂z_l/∂A, with dz_l/dA = Var_k(x) x_l = x_l/4, Σ_l x_l/4 = 3/4:
    #   2/3 · 3 · 3/4 = 3/2 and 4/3 · 12 · 3/4 = 12; times ∂/∂f: 27/64 and 9/4.
    # ∂/∂π_i = q_i (π_i f_i - y) f_i: 3/4 · 1/2 · 2 = 3/4 and 1/4 · 3 · 16 = 12.
    # ∂/∂h_i = π_i (∂/∂π_i - Σ π ∂/∂π), Σ = 9/16 + 3 = 57/16:
    #   3/4 (12/16 - 57/16) = -135/64 and +135/64; times Σ x = 3: ∓405/64.
    # Balance term, κ = 2: 2 · M · Σ q π = 4 (9/16 + 1/16) = 5/2; with q held constant
    #   ∂/∂h_0 = 4 π_0 (q_0 - Σ q π) = 3 (3/4 - 5/8) = 3/8, times 3: 9/8.
    arguments = {
        "ffn": np.array([[[2 / 3]], [[4 / 3]]]),
        "attention": np.zeros((2, 1, 1)),
        "gate": np.array([[np.log(3) / 3], [0.0]]),
        "tokens": np.array([[[1.0], [2.0]]]),
        "labels": np.array([1.0]),
        "weights": np.array([1.0]),
        "activation": "cubic",
    }
    got = loss_and_gradients("mot", **arguments, loss="squared", routing="expected")
    assert got["training_loss"] == pytest.approx(39 / 32, rel=1e-14)
    assert got["expected_loss"] == pytest.approx(1 / 8, rel=1e-13)
    np.testing.assert_allclose(got["ffn"].ravel(), [81 / 32, 27 / 4], rtol=1e-13)
    np.testing.assert_allclose(got["attention"].ravel(), [27 / 64, 9 / 4], rtol=1e-13)
    np.testing.assert_allclose(got["gate"].ravel(), [-405 / 64, 405 / 64], rtol=1e-13)

    balanced = loss_and_gradients(
        "mot", **arguments, loss="squared", routing="expected", load_balance=2.0
    )
    assert balanced["training_loss"] == pytest.approx(39 / 32 + 5 / 2, rel=1e-14)
    np.testing.assert_allclose(
        (balanced["gate"] - got["gate"]).ravel(), [9 / 8, -9 / 8], rtol=1e-12
    )

    # Sampled: noise 2 moves the choice to expert 1, F = 4. Logistic: log(1 + e^-4); the gradient
    # dℓ/dF = -1/(1 + e^4) reaches expert 1 only, ∂F/∂w_1 = π_1 · 36 = 9.
    sampled = loss_and_gradients(
        "mot",
        **arguments,
        loss="logistic",
        routing="sampled",
        routing_noise=np.array([[0.0, 2.0]]),
    )
    assert sampled["training_loss"] == pytest.approx(np.log1p(np.exp(-4.0)), rel=1e-14)
    assert sampled["expected_loss"] == pytest.approx(np.log1p(np.exp(-1.5)), rel=1e-14)
    np.testing.assert_allclose(sampled["ffn"].ravel(), [0.0, -9 / (1 + np.exp(4.0))], rtol=1e-13)


def test_scores_ask_with_the_query_on_the_right():
    # d = 2, x_0 = e_0, x_1 = e_1, A = a e_0 e_1^T: x_k^T A x_l = a for (k, l) = (0, 1), else 0.
    # Query 0 averages uniformly, z_0 = (1/2, 1/2); query 1 gives token 0 the weight e^a/(e^a + 1),
    # 3/4 at a = ln 3: z_1 = (3/4, 1/4). With w = e_0 and φ linear f = 1/2 + 3/4 = 5/4.
    attention = np.zeros((1, 2, 2))
    attention[0, 0, 1] = np.log(3)
    got = loss_and_gradients(
        "single",
        np.array([[[1.0, 0.0]]]),
        attention,
        np.zeros((0, 2)),
        np.eye(2)[None],
        np.array([1.0]),
        np.array([1.0]),
        activation="linear",
        loss="squared",
        routing="expected",
    )
    assert got["training_loss"] == pytest.approx(0.5 * (1 - 5 / 4) ** 2, rel=1e-13)
    # ∂ℓ/∂w = (F - y) Σ_l z_l = 1/4 · (5/4, 3/4)
    np.testing.assert_allclose(got["ffn"].ravel(), [5 / 16, 3 / 16], rtol=1e-13)


def test_equal_logits_route_to_the_lowest_index():
    got = loss_and_gradients(
        "moe",
        np.array([[[3.0]], [[5.0]], [[7.0]]]),
        np.zeros((0, 1, 1)),
        np.zeros((3, 1)),
        np.array([[[1.0]]]),
        np.array([-1.0]),
        np.array([1.0]),
        activation="linear",
        loss="squared",
        routing="sampled",
        top_k=2,
    )
    # Experts 0 and 1, each with π = 1/3: F = (3 + 5)/3.
    assert got["expected_loss"] == pytest.approx(0.5 * (1 + 8 / 3) ** 2, rel=1e-14)
    assert got["training_loss"] == pytest.approx(0.5 * (1 + 8 / 3) ** 2, rel=1e-14)


def frozen_routing_loss(kind, parts, data, base, *, activation, loss, routing, top_k, noise, kappa):
    """Training loss in NumPy with q, S and the balance fractions held at the gate ``base``."""
    tokens, labels, weights = data
    ffn, attention, gate = parts
    f = np.zeros((len(labels), len(ffn)))
    for p, x in enumerate(tokens):
        for i, w in enumerate(ffn):
            for query in x:
                z = query
                if kind != "moe":
                    e = np.exp(x @ attention[i % len(attention)] @ query)
                    z = x.T @ (e / e.sum())
                f[p, i] += np.sum((w @ z) ** {"linear": 1, "cubic": 3}[activation])

    def ell(y, prediction):
        return (y - prediction) ** 2 / 2 if loss == "squared" else np.log1p(np.exp(-y * prediction))

    if kind == "single":
        return weights @ ell(labels, f.sum(axis=1))
    pi = np.exp(tokens.sum(axis=1) @ gate.T)
    pi /= pi.sum(axis=1, keepdims=True)
    base_logits = tokens.sum(axis=1) @ base.T
    if routing == "expected":
        q = np.exp(base_logits / 0.7)
        q /= q.sum(axis=1, keepdims=True)
        value = weights @ np.sum(q * ell(labels[:, None], pi * f), axis=1)
        fraction = weights @ q
    else:
        threshold = np.sort(base_logits + noise, axis=1)[:, -top_k][:, None]
        chosen = base_logits + noise >= threshold
        value = weights @ ell(labels, np.sum(chosen * pi * f, axis=1))
        fraction = weights @ chosen / top_k
    return value + kappa * len(ffn) * fraction @ (weights @ pi)


@pytest.mark.parametrize(("activation", "loss"), [("cubic", "squared"), ("linear", "logistic")])
@pytest.mark.parametrize(
    ("kind", "num_attention", "gated", "routing", "top_k"),
    [
        (*kind, *routing)
        for kind in KINDS
        for routing in ROUTINGS
        if kind[0] != "single" or routing == ROUTINGS[0]  # single has no routing
    ],
)
def test_gradients_match_finite_differences(
    kind, num_attention, gated, activation, loss, routing, top_k
):
    rng = np.random.default_rng(7)
    num_experts, num_neurons, dim, num_points, num_tokens = 3, 2, 3, 4, 3
    parts = [
        0.7 * rng.standard_normal((num_experts, num_neurons, dim)),
        0.7 * rng.standard_normal((num_attention, dim, dim)),
        0.7 * rng.standard_normal((num_experts if gated else 0, dim)),
    ]
    weights = rng.uniform(0.5, 1.5, num_points)
    data = (
        rng.standard_normal((num_points, num_tokens, dim)),
        np.array([1.0, -1.0, 1.0, -1.0]),
        weights / weights.sum(),
    )
    noise = rng.gumbel(size=(num_points, num_experts))
    got = loss_and_gradients(
        kind,
        *parts,
        *data,
        activation=activation,
        loss=loss,
        routing=routing,
        routing_scale=0.7,
        top_k=top_k,
        routing_noise=noise,
        load_balance=0.3,
    )

    def value(trial):
        return frozen_routing_loss(
            kind,
            trial,
            data,
            parts[2],
            activation=activation,
            loss=loss,
            routing=routing,
            top_k=top_k,
            noise=noise,
            kappa=0.3,
        )

    assert got["training_loss"] == pytest.approx(value(parts), rel=1e-12)
    step = 1e-5
    for index, name in enumerate(PARTS):
        assert got[name].shape == parts[index].shape
        assert got[name].dtype == np.float64
        numeric = np.zeros_like(parts[index])
        for entry in np.ndindex(parts[index].shape):
            ends = []
            for sign in (1, -1):
                moved = [part.copy() for part in parts]
                moved[index][entry] += sign * step
                ends.append(value(moved))
            numeric[entry] = (ends[0] - ends[1]) / (2 * step)
        scale = max(1.0, np.abs(numeric).max(initial=0.0))
        np.testing.assert_allclose(got[name], numeric, rtol=0, atol=1e-7 * scale)
        if parts[index].size:
            assert np.abs(numeric).max() > 1e-4  # the comparison is not of zeros
