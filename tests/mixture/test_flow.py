"""Gradient flow of fields with known answers: closed forms, what solvers do, refusals."""

import math

import numpy as np
import pytest
from scipy.integrate import BDF, LSODA, Radau
from scipy.optimize import brentq

from motsim.experiments.mixture.run import Settings, run
from motsim.mixture import flow_path
from motsim.mixture.flow import disagreement, integrate
from motsim.mixture.schedule import Solver

METHODS = ["LSODA", "BDF", "Radau"]
DECADES = 10.0 ** -np.arange(1.0, 25.0)

CURVATURES = np.array([1.0, 1e-6])
AMPLITUDES = np.array([1.0, 1e-3])


def quadratic(end):
    """Two modes of curvatures 1 and 1e-6 around a minimum that need not be 0."""

    def velocity(p):
        return 0.5 * float(CURVATURES @ (p - end) ** 2), -CURVATURES * (p - end)

    return velocity, AMPLITUDES + end


def staircase(epsilon, curvatures=CURVATURES):
    """T(epsilon) of the two modes: two logarithms, and a stop between them."""

    def above(t):
        with np.errstate(under="ignore"):
            loss = 0.5 * float(curvatures @ (AMPLITUDES * np.exp(-curvatures * t)) ** 2)
        return math.log(max(loss, 1e-300) / epsilon)

    return brentq(above, 0.0, 1e9, xtol=1e-12, rtol=1e-14)


@pytest.mark.parametrize("end", [0.0, 1.0])
@pytest.mark.parametrize("method", METHODS)
def test_two_curvatures_give_two_logarithms_and_a_stop(method, end):
    velocity, start = quadratic(end)
    times = integrate(velocity, start, 1e12, DECADES, solver=Solver(method)).hitting_times
    want = np.array([staircase(epsilon) for epsilon in DECADES])
    assert want[12] / want[11] > 1e4  # the stop
    assert np.abs(times / want - 1).max() < 1e-4
    # Negative control: a curvature that is one per cent off.
    wrong = np.array([staircase(epsilon, 1.01 * CURVATURES) for epsilon in DECADES])
    assert np.abs(times / wrong - 1).min() > 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_an_exponential_loss_takes_one_over_epsilon_exactly(method):
    def velocity(p):
        return math.exp(-p[0]), np.exp(-p)

    targets = 10.0 ** -np.arange(1.0, 13.0)
    found = integrate(velocity, np.zeros(1), 1e13, targets, solver=Solver(method))
    np.testing.assert_allclose(found.hitting_times, 1.0 / targets - 1.0, rtol=1e-5)
    assert np.abs(found.hitting_times / (1.0 / targets) - 1.0).max() > 0.01  # the constant is seen
    assert found.status == "reached"
    assert found.loss == pytest.approx(1e-12, rel=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_a_flat_direction_takes_the_power_two_thirds(method):
    def velocity(u):
        return float(u[0] ** 6), -(u**5)

    targets = 10.0 ** -np.arange(1.0, 19.0)
    times = integrate(velocity, np.ones(1), 1e16, targets, solver=Solver(method)).hitting_times
    np.testing.assert_allclose(times, (targets ** (-2 / 3) - 1.0) / 4.0, rtol=1e-4)
    wrong = (targets ** (-0.65) - 1.0) / 4.0
    assert np.abs(times / wrong - 1)[-1] > 0.1


def test_a_smaller_tolerance_is_closer_and_the_check_tells():
    velocity, start = quadratic(1.0)
    want = np.array([staircase(epsilon) for epsilon in DECADES[:14]])

    def times(solver):
        return integrate(velocity, start, 1e12, DECADES[:14], solver=solver).hitting_times

    errors = [np.abs(times(Solver(rtol=r)) / want - 1).max() for r in (1e-2, 1e-4, 1e-8)]
    assert errors[0] > 10 * errors[1] > 100 * errors[2]
    assert disagreement(times, Solver()) < 1e-4
    assert disagreement(times, Solver(rtol=1e-2)) > 1e-4  # negative control
    # A run that stops in between reaches other targets.
    assert (
        disagreement(lambda s: times(s) if s.rtol < 1e-6 else np.full(14, math.inf), Solver())
        == math.inf
    )


@pytest.mark.parametrize("method", METHODS)
def test_a_wrong_jacobian_costs_evaluations_and_changes_no_time(method):
    velocity, start = quadratic(1.0)
    exact = np.diag(-CURVATURES)
    skew = exact + 0.2 * np.array([[0.0, 1e-4], [-1e-6, 0.0]])
    runs = [
        integrate(
            velocity, start, 1e12, DECADES[:18], solver=Solver(method), jacobian=lambda _, j=j: j
        )
        for j in (exact, 0.7 * exact, skew)
    ]
    for other in runs[1:]:
        np.testing.assert_allclose(other.hitting_times, runs[0].hitting_times, rtol=1e-4)
    assert runs[1].cost.evaluations > runs[0].cost.evaluations


def test_a_jump_of_the_loss_is_hit_where_it_is():
    """Routing changes class: the loss jumps though the parameters do not."""

    def velocity(p):
        return (1.0 if p[0] < 2.0 else 1e-3) * math.exp(-p[0]), np.ones(1)

    found = integrate(velocity, np.zeros(1), 100.0, [0.05, 0.01, 1e-5])
    np.testing.assert_allclose(found.hitting_times, [2.0, 2.0, math.log(100.0)], rtol=1e-6)


def test_a_dip_back_above_counts_from_its_first_time():
    def velocity(p):
        return 1.0 - p[0], np.array([math.cos(p[1]), 1.0])

    found = integrate(velocity, np.zeros(2), 20.0, [0.5, 0.1])
    np.testing.assert_allclose(found.hitting_times, np.arcsin([0.5, 0.9]), rtol=1e-4)


def test_never_is_infinite_and_the_end_is_kept():
    velocity, start = quadratic(0.0)
    found = integrate(velocity, start, 50.0, [1e-3, 1e-30], keep=[0.0, 1.0, 50.0, 60.0])
    assert found.status == "max_steps"
    assert found.time == pytest.approx(50.0)
    assert found.hitting_times[1] == math.inf
    assert found.hitting_steps.tolist() == [math.ceil(found.hitting_times[0]), -1]
    assert sorted(found.kept) == [0.0, 1.0, 50.0]
    np.testing.assert_allclose(found.kept[1.0][1], AMPLITUDES * np.exp(-CURVATURES), rtol=1e-5)


def test_a_loss_that_is_not_finite_is_divergence():
    def velocity(p):
        with np.errstate(over="ignore"):
            return float(np.exp(p[0])), p**2

    assert integrate(velocity, np.ones(1), 2.0, [1e-3]).status == "diverged"


@pytest.mark.parametrize("method", METHODS)
def test_where_rounding_alone_moves_the_flow_ends(method):
    """A floor, and noise of 1e-17 of the velocity, as of a sum: times t, it is all there is."""
    rng = np.random.default_rng(0)

    def velocity(p, noise):
        slope = p - 1.0
        return 1e-14 + 0.5 * float(slope @ slope), -slope + noise * rng.standard_normal(2)

    ends = [
        integrate(
            lambda p, n=n: velocity(p, n), np.zeros(2), 1e16, [1e-3, 1e-20], solver=Solver(method)
        )
        for n in (1e-17, 0.0)
    ]
    for found in ends:
        assert found.status == "max_steps"
        assert found.hitting_times[0] == pytest.approx(math.log(1e3) / 2.0, rel=1e-4)
        assert found.loss == pytest.approx(1e-14, rel=1e-3)
    assert not ends[1].cost.ended_by_rounding
    assert ends[1].time == pytest.approx(1e16, rel=1e-9)


class Crawling(LSODA):
    """Steps that come nowhere."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, max_step=1e-4, **options)


class Failing(LSODA):
    """Gives up late."""

    def step(self):
        message = super().step()
        if self.t > 5.0:
            self.status = "failed"
        return message


@pytest.mark.parametrize("broken", [Crawling, Failing])
def test_where_lsoda_does_not_come_on_bdf_does(monkeypatch, broken):
    monkeypatch.setitem(flow_path.METHODS, "LSODA", broken)
    velocity, start = quadratic(1.0)
    found = integrate(velocity, start, 1e12, DECADES[:14])
    want = np.array([staircase(epsilon) for epsilon in DECADES[:14]])
    assert np.abs(found.hitting_times / want - 1).max() < 1e-4
    assert (found.status, found.cost.method) == ("reached", "BDF")


def test_where_bdf_fails_radau_goes_on_and_then_nothing(monkeypatch):
    for method in ("LSODA", "BDF"):
        monkeypatch.setitem(flow_path.METHODS, method, Failing)
    velocity, start = quadratic(1.0)
    found = integrate(velocity, start, 1e12, DECADES[:14])
    want = np.array([staircase(epsilon) for epsilon in DECADES[:14]])
    assert np.abs(found.hitting_times / want - 1).max() < 1e-4
    assert (found.status, found.cost.method) == ("reached", "Radau")
    # Control: where nothing is left to turn to, it is an error.
    monkeypatch.setitem(flow_path.METHODS, "Radau", Failing)
    with pytest.raises(RuntimeError, match="Radau stopped at t = "):
        integrate(velocity, start, 1e12, DECADES[:14])


def saddle(size, method="LSODA", **options):
    """One transformer that leaves a saddle of its heads; its attention is large from the start."""
    settings = Settings(
        preset="single", activation="cubic", attention_scale=8.0, num_classes=2, dim=4,
        num_experts=2, converge_rate=0.02, align_rate=0.02, epsilon_max=0.2, epsilon_min=0.1,
        epsilons_per_decade=1, distractor_amplitude=(0.5, 1.0), init_std=size,
        dynamics="flow", converge_steps=10**12, flow_method=method, **options,
    )  # fmt: skip
    return run(settings).tables["hits"]["step"][-1]


@pytest.mark.parametrize("method", METHODS)
def test_a_saddle_is_left_in_the_time_that_the_small_part_says(method, monkeypatch):
    """114,615 steps of descent; errors of a part are small beside that part alone."""
    assert saddle(1e-3, method) == pytest.approx(114_615, rel=5e-4)
    if method == "BDF":  # control: beside the largest part
        one = flow_path.sizes_of

        def of_all(state, velocity, parts):
            return one(state, velocity, 0 * parts)

        monkeypatch.setattr(flow_path, "sizes_of", of_all)
        assert saddle(1e-3, method) < 0.95 * 114_615


@pytest.mark.parametrize("method", METHODS)
def test_a_late_saddle_is_no_rounding(method, monkeypatch):
    """It is left after more steps than those in which nothing moved; control: they end the run."""
    settings = Settings(
        preset="cubic", schedule="end_to_end", num_classes=2, dim=4, num_experts=4,
        dynamics="flow", converge_steps=10**15, epsilon_min=1e-12, flow_method=method,
    )  # fmt: skip
    found = run(settings)
    assert found.status == "reached"
    assert found.metrics["num_steps"] == pytest.approx(9.297e11, rel=1e-3)
    if method == "BDF":
        monkeypatch.setattr(flow_path.Path, "rounding_alone", lambda self, state: True)
        assert run(settings).metrics["flow_ended_by_rounding"]


def test_a_solver_that_gives_up_on_rounding_has_come_to_the_end(monkeypatch):
    """Control: one that gives up where there is a velocity is an error."""

    class GivingUp(BDF):
        def step(self):
            super().step()
            self.status = "failed"

    def velocity(p):
        return 1e-14 + 0.5 * float((p - 1.0) @ (p - 1.0)), 1.0 - p

    class Ended(Radau):
        def step(self):
            super().step()
            self.status = "failed"

    monkeypatch.setitem(flow_path.METHODS, "BDF", GivingUp)
    monkeypatch.setitem(flow_path.METHODS, "Radau", Ended)
    found = integrate(velocity, np.ones(2), 1e16, [1e-20], solver=Solver("BDF"))
    assert (found.status, found.cost.ended_by_rounding) == ("max_steps", True)
    assert found.hitting_times[0] == np.inf
    with pytest.raises(RuntimeError, match="Radau stopped at t = "):
        integrate(velocity, np.ones(2) - 1e-12, 1e16, [1e-20], solver=Solver("BDF"))


@pytest.mark.parametrize("t_end", [0.0, -1.0, math.inf, math.nan])
def test_an_end_that_is_not_positive_is_refused(t_end):
    with pytest.raises(ValueError, match="t_end must be finite and > 0; got"):
        integrate(quadratic(0.0)[0], AMPLITUDES, t_end)
