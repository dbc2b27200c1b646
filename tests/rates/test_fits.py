"""Fits that were made fast say what plain ones say: in stacks, by bounds, from memory."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import nnls

from motsim.rates import dissent, exponentials, floors, stacks
from motsim.rates.curves import read_curves
from motsim.rates.evidence import NOISE, P, last_quarter, power_squares, smaller_half
from motsim.rates.fits import fit_floors, fit_kinks, fit_lines, fit_powers
from motsim.rates.sample import sample_of_hits
from motsim.rates.stacks import Known
from tests.rates.synthetic import curves, law_of, log_then_power

LAWS = ["log", "inverse", "power", "floor"]


def sample(law, seed, n=5, decades=5.0):
    """Curves of a law, of more than one size."""
    eps, hits, budget = curves(**law_of(law), seed=seed, n=n, decades=decades)
    hits[0, -7:] = -2  # rows lost at the end of one run
    return sample_of_hits(read_curves(eps, hits, budget), 0).usable


# --- stacks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("many", [1, 2**16])
def test_a_curve_is_fitted_in_a_stack_as_alone(law, many, monkeypatch):
    found = sample(law, seed=3)
    assert len({c.x.size for c in found}) > 1
    alone = [[np.concatenate([np.ravel(v) for v in every_fit([c])])] for c in found]
    monkeypatch.setattr(stacks, "MANY", many)
    stacked = every_fit(found)
    for row, [expected] in enumerate(alone):
        got = np.concatenate([np.ravel(v[row]) for v in stacked])
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)
    # negative control: another curve's fit is another one
    assert not np.allclose(np.ravel(stacked[0][0]), np.ravel(stacked[0][1]), rtol=1e-6)


def every_fit(found):
    grid = np.array([0.0, 0.4, 1.0, 3.0])
    return [
        fit_powers(found, np.array([-0.5, 0.3, 1.0, 20.0]))[0],
        *fit_lines(found),
        *fit_floors(found),
        fit_kinks(found),
        *floors.fit_floored_powers(found, grid),
    ]


def test_exponents_of_their_own():
    found = sample("inverse", seed=4)
    own = np.linspace(0.5, 1.5, len(found))
    every, _, _ = fit_powers(found, own)
    each, _, _ = fit_powers(found, own[:, None])
    np.testing.assert_allclose(each[:, 0], np.diag(every), rtol=1e-12)


# --- towards a floor ------------------------------------------------------------------------------


def plain_squares(curve, p, gap, log_g):
    """Sum of squares of one p, floor and g, as the law is written down."""
    floor = np.exp(-curve.x[-1]) / (1.0 + 10.0**gap)
    eps = np.exp(-curve.x)
    y, weight = -np.log(eps - floor), (1.0 - floor / eps) ** 2
    rise = np.log(curve.tau + np.exp(log_g)) / p
    c = np.sum(weight * (y - rise)) / weight.sum()
    fitted = -np.log(floor + np.exp(-c - rise))
    end = -np.log(floor + np.exp(-c - np.log1p(np.exp(log_g)) / p))
    return np.sum((curve.x - fitted) ** 2) + max(end - curve.bound, 0.0) ** 2


@pytest.mark.parametrize("law", ["inverse", "floor"])
def test_squares_towards_a_floor_are_those_of_the_law(law):
    curve = sample(law, seed=5)[1]
    curve = replace(curve, bound=float(curve.x[-1]) - 1.0)
    rng, p = np.random.default_rng(6), np.array([0.3, 1.0, 4.0])
    gap, log_g = rng.uniform(-2.0, 2.0, (1, 3, 2)), rng.uniform(-6.0, 1.0, (1, 3, 1, 4))

    def squares(of):
        grids = p[:, None, None], gap, log_g
        return stacks.together([of], 1, lambda stack, _: (floors._squares(stack, *grids),))[0][0]

    expected = [
        [[plain_squares(curve, p[i], gap[0, i, j], log_g[0, i, 0, k]) for k in range(4)]
         for j in range(2)] for i in range(3)
    ]  # fmt: skip
    np.testing.assert_allclose(squares(curve), expected, rtol=1e-9)
    # negative control: without the bound they are others
    assert np.any(squares(replace(curve, bound=np.inf)) < 0.99 * np.array(expected))


# --- sums of exponentials -------------------------------------------------------------------------


def without_one_tried_each(design, one, kept, weights):
    """The slow twin: every term is left out in turn."""
    parts = [np.delete(kept, i) for i in range(kept.size)]
    fits = [nnls(design[:, part], one) for part in parts]
    best = int(np.argmin([error for _, error in fits]))
    every = np.zeros(design.shape[1])
    every[parts[best]] = fits[best][0]
    return parts[best][fits[best][0] > 0], every


@pytest.mark.parametrize("law", LAWS)
def test_the_term_that_is_missed_least_is_found_without_trying_each(law, monkeypatch):
    found = sample(law, seed=8)
    fast = [exponentials._spectra(c) for c in found]
    monkeypatch.setattr(exponentials, "_without_one", without_one_tried_each)
    slow = [exponentials._spectra(c) for c in found]
    assert same_spectra(fast, slow)


def test_a_bound_that_says_too_much_is_noticed(monkeypatch):
    found = sample("inverse", seed=8)
    fast = [exponentials._spectra(c) for c in found]
    bound = exponentials._least_errors
    monkeypatch.setattr(exponentials, "_least_errors", lambda *args: 1e3 - bound(*args))
    assert not same_spectra(fast, [exponentials._spectra(c) for c in found])


def same_spectra(one, other):
    return all(
        np.array_equal(a, b)
        for sums, others in zip(one, other, strict=True)
        for pair, pair_of in zip(sums, others, strict=True)
        for a, b in zip(pair, pair_of, strict=True)
    )


# --- runs that decide otherwise alone -------------------------------------------------------------


def own_laws_asked_in_full(found, law):
    """The slow twin: every part of every curve is asked, whatever it can say."""
    whole = power_squares(found) / np.array([[c.x.size] for c in found])
    noise = float(np.median(whole.min(axis=1))) + NOISE**2
    answers = []
    for c in found:
        parts = [part for part in (c, smaller_half(c), last_quarter(c)) if part]
        other = any(
            dissent._decide_otherwise([part], power_squares([part]), law, noise)[0]
            for part in parts
        )
        answers.append(("power" if law == "log" else "log") if other else law)
    stopped = law == "log"
    return ["floor" if stopped and c.stopped else a for c, a in zip(found, answers, strict=True)]


@pytest.mark.parametrize("law", ["log", "power"])
@pytest.mark.parametrize("made", [*LAWS, "turned"])
def test_a_part_that_cannot_decide_otherwise_need_not_be_asked(law, made):
    if made == "turned":
        found = sample_of_hits(read_curves(*log_then_power(3, 8, turn=3e-5)), 0).usable
    else:
        found = [c for seed in range(3) for c in sample(made, seed)]
    answers = dissent.own_laws(found, law)
    assert answers == own_laws_asked_in_full(found, law)
    if (made, law) == ("turned", "log"):  # negative control: there are others, found in parts only
        assert "power" in answers


def test_a_part_that_is_never_asked_is_missed(monkeypatch):
    found = sample_of_hits(read_curves(*log_then_power(3, 8, turn=3e-5)), 0).usable
    assert "power" in dissent.own_laws(found, "log")
    monkeypatch.setattr(dissent, "_doubted", lambda *_: [])
    assert "power" not in dissent.own_laws(found, "log")


# --- fits that are remembered ---------------------------------------------------------------------


def test_a_curve_is_fitted_once_whatever_its_unit_of_steps(monkeypatch):
    monkeypatch.setattr(stacks, "KEPT", 7)
    asked = []

    def fit(found):
        asked.extend(found)
        return [np.array([c.x[-1], c.tau[1]]) for c in found]

    known = Known(fit)
    eps, hits, _ = curves("log", seed=9, n=4)
    once = [read_curves(eps, hits).curve(i) for i in range(4)]
    twice = [read_curves(eps, 2.0 * hits).curve(i) for i in range(4)]
    np.testing.assert_array_equal(known(once), known(twice))
    assert len(asked) == 4
    other = [read_curves(eps, hits**1.1).curve(i) for i in range(4)]
    assert not np.array_equal(known(other), known(once))  # negative control: other curves
    assert len(asked) == 9  # the first was given up for the last
    assert power_squares(once).shape == (4, P.size)
