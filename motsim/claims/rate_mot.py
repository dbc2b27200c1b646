"""Rate of the mixture: O(log 1/eps) steps in stage III, with the constant derived.

Assumptions: experts specialized and routed (stages I and II done), no noise tokens, attention that
passes the signal token, a class of probability 1/N; the gate's value is 1 for the routed expert.

Statement: an expert of class n then moves along v_n only, so stage III is one number a step. With
``a = <w, v_n>`` (derived here)

* cubic, squared: ``a += (3 eta/N) a^2 (1 - a^3)``, eps = (1 - a^3)^2/2: near a = 1 a curvature 9/N,
  so ln 10 / (-2 ln(1 - 9 eta/N)) steps a decade;
* linear, squared: stage II has already fitted the signal through the attention; what is left is the
  distractor, of curvature E[gamma^2]/(N (N-1)) = 13/(3 N (N-1)) for gamma in [1, 3];
* cubic, logistic: ``a += (3 eta/N) a^2 / (1 + exp(a^3))``: T = eps^-1 up to a power of log(1/eps),
  because the minimum is at infinity: no strong convexity, no log law;
* cubic, logistic, normalized: ``a += eta``: eps falls faster than exponentially.

Kind: upper for the law (faster than logarithmic holds too), tight for the constant.

Source: arXiv:2510.27004, abstract (law, quoted); constants derived here.
"""

import numpy as np
import pandas as pd
from scipy.integrate import cumulative_trapezoid

from motsim.claims import Claim, Finding
from motsim.claims._outcomes import specialized
from motsim.claims._rates import curves, rate_finding
from motsim.claims._undecided import needs, undecided
from motsim.results.tables import Tables
from motsim.statistics.intervals import median_interval

__all__ = ["CLAIM", "constant", "judge", "one_number", "settings"]

CLAIM = Claim(
    statement="A mixture of transformers reaches expected loss eps in O(log(1/eps)) steps.",
    source="arXiv:2510.27004, abstract",
    origin="quoted",
    prediction="T(eps) logarithmic in stage III; its constant from N, the step size and the data",
    kind="upper",
)

#: Cases whose law of T(eps) is stated down to the smallest eps that is looked at.
LAW_CASES = ("cubic", "classes", "linear", "logistic", "logistic-normalized")

#: The constant holds within this factor. Hypotheses to tell apart: the neighboring step size (2),
#: N off by one (1.25), the linear expert's other mode, E[alpha^2]/N (1.44).
TOLERANCE = 1.05
MOST = 0.9  # of the covering runs: the others stop before, and are counted with the law
#: Stage III is one-dimensional once the remains of the other directions are gone.
START = {"cubic": 1e-2, "linear": 1e-4}
DISTRACTOR_SQUARE = 13.0 / 3.0  # E[gamma^2], gamma uniform on [1, 3]


def settings(rows: pd.DataFrame) -> tuple[str, int, float]:
    """Return case, number of classes and step size of one setting's rows."""
    first = rows.iloc[0]
    return str(first["case"]), int(first["num_classes"]), float(first["converge_rate"])


def one_number(
    case: str, num_classes: int, rate: float, epsilons: np.ndarray, curvature: float | None = None
) -> np.ndarray:
    """Steps from ``epsilons[0]`` to each of `epsilons` (falling) by the recursion derived above.

    With `curvature` (the Hessian along v_n given the class) the rate is the quadratic one.
    """
    eta, n = rate, num_classes
    if case == "linear" or curvature is not None:
        mu = DISTRACTOR_SQUARE / (n * (n - 1)) if curvature is None else curvature / n
        return np.log(epsilons / epsilons[0]) / (2.0 * np.log(1.0 - eta * mu))
    if case.startswith("logistic"):
        a = np.cbrt(-np.log(np.expm1(epsilons)))  # eps = log(1 + exp(-a^3))
        if case == "logistic-normalized":
            return (a - a[0]) / eta
        fine = np.linspace(a[0], a[-1], 20_001)  # steps are small: an integral for the sum
        speed = 3.0 * eta / n * fine**2 / (1.0 + np.exp(fine**3))
        return np.interp(a, fine, cumulative_trapezoid(1.0 / speed, fine, initial=0))
    path: list[float] = []
    a = float(np.cbrt(1.0 - np.sqrt(2.0 * epsilons[0])))
    while not path or path[-1] > epsilons[-1]:
        path.append(0.5 * (1.0 - a**3) ** 2)
        a += 3.0 * eta / n * a**2 * (1.0 - a**3)
    log_path = np.log(path)
    return np.interp(-np.log(epsilons), -log_path, np.arange(len(path)))


def constant(rows: pd.DataFrame, curvature: float | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Measured steps (S,) between two eps, one a seed, and the predicted number (1,).

    From `START` to the smallest eps that `MOST` of the covering runs reach, of the runs that reach
    it; empty if they share no range.
    """
    case, n, rate = settings(rows)
    good = specialized(rows, n)
    if good.empty:
        return np.array([]), np.array([])
    epsilons, hits, _ = curves(good)
    first = START["linear" if case == "linear" else "cubic"]
    shared = ((hits > 0).mean(axis=0) >= MOST) & (epsilons <= first)
    if curvature is not None:
        shared &= epsilons <= START["linear"]
    if shared.sum() < 2:
        return np.array([]), np.array([])
    e, t = epsilons[shared], hits[:, shared]
    t = t[(t > 0).all(axis=1)]
    return (t[:, -1] - t[:, 0]).astype(float), one_number(case, n, rate, e, curvature)[-1:]


def final_curvature(tables: Tables) -> float | None:
    """Median over runs and classes of the last Hessian along v_n; None without table."""
    table = tables.with_columns("curvature", "case", "converge_rate", "seed", "step", "along")
    rows = table[table["case"] == "curvature"]
    last = rows[rows["step"] == rows.groupby(["converge_rate", "seed"])["step"].transform("max")]
    return float(last["along"].median()) if len(last) else None


def constant_finding(name: str, rows: pd.DataFrame, hessian: float | None) -> Finding:
    """Compare the measured with the derived number of steps: tight, within `TOLERANCE`."""
    case, n, _ = settings(rows)
    source = "derived" if case != "curvature" else "from the Hessian along v_n"
    measured, predicted = constant(rows, hessian if case == "curvature" else None)
    if len(measured) == 0 or (case == "curvature" and hessian is None):
        why = f"no two eps are shared by runs whose experts cover all {n} classes"
        return undecided(f"{name} constant", f"{source} constant", "nothing to compare", why)
    ratio = median_interval(measured / predicted)
    spread = f"{ratio.value:.3f} in most runs" if ratio.constant else f"{ratio:.3f}"
    evidence = (
        f"{np.median(measured):.0f} steps measured between two eps, {predicted[0]:.0f} {source}, no"
        f" number fitted (median of the {len(measured)} runs of {rows['run'].nunique()} that cover"
        f" every class and get there); holds within {100 * (TOLERANCE - 1):.0f} %"
    )
    return Finding(
        f"{name} constant", f"{predicted[0]:.0f} steps ({source})",
        f"measured/predicted = {spread}", ratio.near(1.0, TOLERANCE), evidence, ratio,
    )  # fmt: skip


@needs(CLAIM, "case num_classes converge_rate epsilon")
def judge(tables: Tables) -> list[Finding]:
    """Judge law and constant of every setting."""
    findings, hessian = [], final_curvature(tables)
    for _, rows in tables.main.groupby(["case", "num_classes", "converge_rate"], sort=False):
        case, n, rate = settings(rows)
        name = f"{case} N={n} eta={rate:g}"
        if case != "curvature":
            findings.append(rate_finding(name, rows, "log", n))
        findings.append(constant_finding(name, rows, hessian))
    return findings
