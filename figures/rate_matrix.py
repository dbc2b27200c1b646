"""Rate matrix: the law of T(eps) for every model, loss and optimizer, as an annotated grid."""

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from motsim.claims.rate_matrix import cell, decision
from motsim.figures import style
from motsim.rates import RateDecision
from motsim.results.tables import Tables

__all__ = ["draw"]

ROWS = {
    "mot": "mixture of\ntransformers", "moe": "mixture,\nno attention",
    "shared": "mixture, shared\nattention", "single": "single\ntransformer",
}  # fmt: skip
COLUMNS = {
    ("squared", "gd"): "squared loss\nplain descent",
    ("logistic", "gd"): "logistic loss\nplain descent",
    ("logistic", "ngd"): "logistic loss\nnormalized descent",
    ("squared", "ngd"): "squared loss\nnormalized descent",
}
COLORS = {"log": 2, "power": 1, "inverse": 1, "floor": 4}


def text(found: RateDecision, reached: float) -> str:
    """Law, its number with interval, range and seeds."""
    low, high = found.exponent_interval
    if found.law == "log":
        low, high = found.steps_per_decade_interval
        lines = ["log", f"{found.steps_per_decade:.3g} [{low:.3g}, {high:.3g}]", "steps / decade"]
    elif found.law in ("power", "inverse"):
        lines = ["power", f"p = {found.exponent:.2f}", f"[{low:.2f}, {high:.2f}]"]
    elif found.law == "floor":
        lines = ["floor", f"at {found.floor:.1e}"]
    else:
        lines = ["inconclusive", f"reached {reached:.0e}"]
    return "\n".join([*lines, f"{found.decades:.1f} decades, {found.num_used} seeds"])


def draw(tables: Tables) -> dict[str, Figure]:
    """Return the figure."""
    figure, (ax,) = style.panels(1, height=3.6, width=style.PAGE * 0.85)
    models, kinds = list(ROWS), list(COLUMNS)
    image = np.ones((len(models), len(kinds), 4))
    for case, rows in tables.main.groupby("case", sort=False):
        model, *kind = cell(str(case))
        square = models.index(model), kinds.index((kind[0], kind[1]))
        found = decision(str(case), rows)
        color = style.PALETTE[COLORS[found.law]] if found.law in COLORS else (0.6, 0.6, 0.6)
        image[square] = to_rgba(color, 0.35)
        reached = float(rows.loc[rows["step"] >= 0, "epsilon"].min())
        first, rest = text(found, reached).split("\n", 1)
        ax.text(square[1], square[0] - 0.28, first, ha="center", va="center", weight="bold")
        ax.text(square[1], square[0] + 0.13, rest, ha="center", va="center", fontsize=6.8)
    ax.imshow(image, aspect="auto")
    ax.set_xticks(range(len(kinds)), COLUMNS.values())
    ax.set_yticks(range(len(models)), ROWS.values())
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    for edge in range(1, 4):
        ax.axhline(edge - 0.5, color="white", lw=2)
        ax.axvline(edge - 0.5, color="white", lw=2)
    ax.set_xlabel("law of T(ε) in the last stage, with 95 % interval over seeds")
    return {"rate-matrix": figure}
