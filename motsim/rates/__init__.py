r"""Which law do hitting times follow? Logarithmic, power or floor, decided with seeds as units.

A curve is the set of pairs ``(eps, T)``: ``T(eps)`` is the first step whose expected loss is at
most ``eps``, and ``x = log(1/eps)``. All smooth laws are members of one family (derived here),

    T = a + b * (eps**-p - 1) / p,      equivalently      dL/dt = -L**(1 + p) / b,

where ``p = 0`` is the log law, ``p = 1`` is ``1/eps`` and ``p < 0`` is faster than logarithmic
(still ``O(log 1/eps)``). The exponent ``p`` is shared, ``a`` and ``b`` belong to each curve.

Space. Residuals are taken in ``x``, at given ``T``: the error of a run is a relative error of its
loss. For ``p > 0`` this is a relative error of ``T - a``, for ``p = 0`` an error of ``T`` in units
of the slope, so no law is favored by the many orders of magnitude that ``T`` may span. ``x`` has
no unit, and a factor on ``T`` or on ``eps`` is absorbed by ``a`` and ``b``: decisions are
scale-free. As ``T`` cannot fall while ``x`` grows, ``b >= 0`` holds by construction.

Censoring. A curve whose eps values from ``eps_c`` down were not reached within its budget ``B``
says ``x(B) < log(1/eps_c)``: one one-sided residual, zero unless a law predicts otherwise.

Dependence. Points of one curve are dependent, so a curve counts as two points per decade however
fine its grid is, and intervals come from resampling whole curves, stretched by Student's t.
"""

from motsim.rates.curves import CENSORED, MISSING, hitting_times
from motsim.rates.decision import RateDecision, decide, supports
from motsim.rates.depth import Depth, log_depth
from motsim.rates.fitted import LawFit, fit_law
from motsim.rates.groups import Rates
from motsim.rates.laws import LAWS, Law
from motsim.rates.local import LocalExponents, limit_exponent, local_exponents
from motsim.rates.rate import Rate
from motsim.rates.rating import rate
from motsim.rates.regimes import Regime

__all__ = [
    "CENSORED",
    "LAWS",
    "MISSING",
    "Depth",
    "Law",
    "LawFit",
    "LocalExponents",
    "Rate",
    "RateDecision",
    "Rates",
    "Regime",
]
__all__ += ["decide", "fit_law", "hitting_times", "limit_exponent", "local_exponents", "log_depth"]
__all__ += ["rate", "supports"]
