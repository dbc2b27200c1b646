"""The way of a gradient flow: steps of a stiff solver whose tolerance follows the loss.

Error control. A law of L down to 1e-20 needs more than digits of the parameters: residuals of a
squared loss are differences of numbers of order one. So an error e of the parameters is tolerated
if it changes L by about `rtol` of itself: |e| <= rtol L / |grad L|, and
|e| <= sqrt(rtol L / curvature) where the gradient has died. The solver starts anew with another
tolerance where that has changed; its states are counted from where it started. Rounding of the
parameters ends what can be asked: a squared loss is carried to about 1e-27.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import BDF, LSODA, OdeSolver, Radau
from scipy.optimize import brentq

from motsim.mixture.flow_outcome import Flow
from motsim.mixture.schedule import Solver
from motsim.mixture.status import Status
from motsim.mixture.trace import FlowCost

__all__ = ["Jacobian", "Path", "Velocity"]

Floats = NDArray[np.float64]
#: State -> loss, and the velocity of the state, per step.
Velocity = Callable[[Floats], tuple[float, Floats]]
Jacobian = Callable[[Floats], Floats]

METHODS: dict[str, Any] = {"LSODA": LSODA, "BDF": BDF, "Radau": Radau}
NEXT = {"LSODA": "BDF", "BDF": "Radau"}  # what goes on where one comes no further
SMALLEST_RTOL = 101 * np.finfo(float).eps  # below 100 SciPy warns
DIFFERENCE = np.cbrt(np.finfo(float).eps)  # of central differences, relative
#: The tolerance may be this much too loose, or too strict, before the solver starts anew.
LOOSE, STRICT = 3.0, 100.0
MAX_STEPS = 200_000
NEAR = 0.01  # part of the largest parameter
#: So many steps in which neither tau grew by CRAWL nor the loss fell by that part of itself: it may
#: be that what moves is rounding, times t. After the most of them it is taken for granted.
CRAWL_STEPS, CRAWL, MOST_CRAWL = 300, 0.3, 4800


def sizes_of(state: Floats, velocity: Floats, parts: NDArray[np.int64]) -> Floats:
    """Scale (n,) of each number's part: its largest number, or how far one step moves it."""
    largest = np.full(int(parts.max(initial=0)) + 1, np.finfo(float).tiny)
    np.maximum.at(largest, parts, np.maximum(np.abs(state), np.abs(velocity)))
    return np.asarray(largest[parts])


class Path:
    """One integration: the field in tau, with counters, and the tolerance of the moment."""

    def __init__(
        self,
        velocity: Velocity,
        jacobian: Jacobian | None,
        rates: Floats,
        solver: Solver,
        parts: NDArray[np.int64],
    ) -> None:
        self.velocity, self.rates, self.solver, self.parts = velocity, rates, solver, parts
        self.method: str = solver.method
        self.jacobian = jacobian or self.differences
        self.evaluations = self.jacobians = self.steps = self.starts = 0
        self.curvature, self.asked, self.patience = 0.0, -2, CRAWL_STEPS
        self.known_at, self.known = np.full(1, math.inf), np.zeros((0, 0))  # the last Jacobian
        self.origin = np.zeros(1)  # of the solver's states

    def at(self, state: Floats) -> tuple[float, Floats]:
        """Return loss and velocity, and count it."""
        self.evaluations += 1
        return self.velocity(state)

    def slope(self, tau: float, state: Floats) -> Floats:
        """Return the velocity in tau."""
        return math.exp(tau) * self.at(self.origin + state)[1]

    def slope_jacobian(self, tau: float, state: Floats) -> Floats:
        """Return the Jacobian in tau; the velocity's is kept while parameters hardly move.

        LSODA asks anew every few steps; when it asks twice in one, what is kept was no good. The
        others ask only then.
        """
        point = self.origin + state
        again = self.method != "LSODA" or self.asked >= self.steps - 1
        self.asked = self.steps
        return math.exp(tau) * self.jacobian_near(point, again)

    def jacobian_near(self, point: Floats, again: bool = False) -> Floats:
        """Return the velocity's Jacobian here, or of a point close to it."""
        moved = np.abs(point - self.known_at).max()
        if again or not moved <= NEAR * np.abs(point).max():
            self.jacobians += 1
            self.known_at, self.known = point, self.jacobian(point)
            self.curvature = float(np.abs(self.known.diagonal() / self.rates).sum())
        return self.known

    def differences(self, state: Floats) -> Floats:
        """Central differences of the velocity."""
        size = DIFFERENCE * max(float(np.abs(state).max()), 1e-3)
        found = np.empty((len(state), len(state)))
        for j in range(len(state)):
            moved = state.copy()
            moved[j] = state[j] + size
            above = self.at(moved)[1]
            moved[j] = state[j] - size
            found[:, j] = (above - self.at(moved)[1]) / (2.0 * size)
        return found

    def allowed(self, state: Floats, loss: float, velocity: Floats) -> Floats:
        """Errors of the parameters that change the loss by no more than `rtol` of itself.

        Nor a part by more than `rtol` of itself: what leaves a saddle leaves it in a time that its
        own size says, however large the others are.
        """
        rtol, size = self.solver.rtol, sizes_of(state, velocity, self.parts)
        slope, loss, reach = float(np.linalg.norm(velocity / self.rates)), abs(loss), size
        if slope > 0.0:
            reach = np.minimum(reach, loss / slope)
        if self.curvature > 0.0:
            reach = np.minimum(reach, math.sqrt(loss / (rtol * self.curvature)))
        return np.asarray(np.maximum(rtol * reach, LOOSE * self.solver.atol * size.max()))

    def begin(self, tau: float, state: Floats, end: float, allowed: Floats) -> OdeSolver:
        """Return the solver from here on. LSODA sees no stiffness where tolerances are rounding."""
        self.starts += 1
        self.origin = state.copy()
        return METHODS[self.method](
            self.slope,
            tau,
            np.zeros_like(state),
            end,
            rtol=SMALLEST_RTOL,
            atol=allowed,
            jac=self.slope_jacobian,
        )

    def follow(self, state: Floats, t_end: float, targets: Floats, keep: Sequence[float]) -> Flow:
        """Go from t = 0 until all targets are reached, or t_end."""
        end, times = math.log1p(t_end), sorted({float(t) for t in keep if 0.0 <= t <= t_end})
        loss, velocity = self.at(state)
        hits, kept = np.where(loss <= targets, 0.0, math.inf), {}
        if 0.0 in times:
            kept[0.0] = (loss, state.copy())
        waiting = [t for t in times if t > 0.0]
        tau, allowed, inner = 0.0, np.zeros(len(state)), None
        milestone, ended = (0, tau, loss), self.ended(hits, loss, False, 0)
        while not ended:
            wanted = self.allowed(state, loss, velocity)
            off = (wanted < allowed / LOOSE) | (wanted > allowed * STRICT)
            if inner is None or off.any():
                self.jacobian_near(state)  # for the curvature
                allowed = self.allowed(state, loss, velocity) / LOOSE
                inner = self.begin(tau, state, end, allowed)
            before, reached = (tau, loss), self.step(inner)
            if reached is None and self.turned(state):
                inner = None
                continue
            if reached is None:
                ended = "rounding"
                break
            tau = reached
            state = self.origin + inner.y
            loss, velocity = self.at(state)
            dense = inner.dense_output()
            middle = 0.5 * (before[0] + tau)
            nodes = [before, (middle, self.loss_at(dense, middle)), (tau, loss)]
            self.find(hits, targets, nodes, dense)
            if self.done(hits):
                tau = math.log1p(hits.max())
                state = self.origin + dense(tau)
                loss = self.at(state)[0]
            while waiting and math.log1p(waiting[0]) <= tau:
                there = self.origin + dense(math.log1p(waiting[0]))
                kept[waiting.pop(0)] = (self.at(there)[0], there)
            if tau > milestone[1] + CRAWL or loss < milestone[2] * (1.0 - CRAWL):
                milestone = (self.steps, tau, loss)
            ended = self.ended(hits, loss, tau >= end, self.steps - milestone[0])
            if ended == "rounding" and self.method == "LSODA" and self.turned(state):
                inner, ended, milestone = None, "", (self.steps, tau, loss)
            elif (
                ended == "rounding"
                and self.patience < MOST_CRAWL
                and not self.rounding_alone(state)
            ):
                ended, self.patience = "", 2 * self.patience
        return Flow(
            status=ended if isinstance(ended, Status) else Status.MAX_STEPS,
            time=float(hits.max()) if self.done(hits) else min(math.expm1(tau), t_end),
            loss=loss,
            state=state,
            hitting_times=hits,
            kept=kept,
            cost=FlowCost(
                self.method,
                self.solver.rtol,
                self.solver.atol,
                self.evaluations,
                self.jacobians,
                self.steps,
                self.starts,
                ended == "rounding",
            ),
        )

    def ended(self, hits: Floats, loss: float, at_end: bool, crawling: int) -> str:
        """Return why to stop; an empty word to go on."""
        if not np.isfinite(loss):
            return Status.DIVERGED
        if self.done(hits):
            return Status.REACHED
        return "t_end" if at_end else "rounding" if crawling > self.patience else ""

    @staticmethod
    def done(hits: Floats) -> bool:
        """Whether there are targets, and all are reached."""
        return bool(hits.size) and bool(np.isfinite(hits).all())

    def turned(self, state: Floats) -> bool:
        """Whether another method goes on from here.

        Late, LSODA crawls or fails where BDF does not: of one transformer with 4 heads it comes to
        2e-11, BDF to 5e-16 (docs/theory.md). Where a saddle is left late, BDF fails where Radau
        does not, as a step in tau is a long time there.
        """
        if self.method not in NEXT or (self.method == "BDF" and self.rounding_alone(state)):
            return False
        self.method = NEXT[self.method]
        return True

    def step(self, inner: OdeSolver) -> float | None:
        """Take one step of the solver; return where it ends; None if this method comes no further.

        Either another one does, or rounding alone is left.
        """
        self.steps += 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a failure is told below
            message = inner.step()
        if inner.status == "failed" and (
            self.method in NEXT or self.rounding_alone(self.origin + inner.y)
        ):
            return None
        if inner.status == "failed" or self.steps > MAX_STEPS:
            reason = message or f"{self.steps:,} steps"
            raise RuntimeError(
                f"{self.method} stopped at t = {math.expm1(inner.t):.4g}: {reason}; try a larger"
                " rtol"
            )
        return float(inner.t)

    def rounding_alone(self, state: Floats) -> bool:
        """Whether one rounding of the parameters changes the velocity by more than itself."""
        signs = np.where(np.arange(state.size) % 2, 1.0, -1.0)
        here, moved = (
            self.at(point)[1] / self.rates
            for point in (state, state * (1.0 + np.finfo(float).eps * signs))
        )
        return bool(np.linalg.norm(moved - here) > np.linalg.norm(here))

    def loss_at(self, dense: Any, tau: float) -> float:
        """Return the loss within the last step."""
        return self.at(self.origin + dense(tau))[0]

    def find(
        self, hits: Floats, targets: Floats, nodes: Sequence[tuple[float, float]], dense: Any
    ) -> None:
        """Set the times at which the loss first fell to targets, between nodes (tau, loss)."""
        tiny = np.finfo(float).tiny
        for (left, _), (right, loss) in pairwise(nodes):
            for e in np.flatnonzero((hits == math.inf) & (loss <= targets)):

                def above(tau: float, target: float = targets[e]) -> float:
                    return math.log(max(self.loss_at(dense, tau), tiny) / target)

                # The dense output joins steps but to the tolerance: at the ends signs may agree.
                if above(left) <= 0.0:
                    root = left
                elif above(right) > 0.0:
                    root = right
                else:
                    root = float(brentq(above, left, right, xtol=1e-13, rtol=1e-13))
                hits[e] = math.expm1(root)
