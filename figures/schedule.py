"""Schedule: final loss over (T1, T2), the threshold in T1, and where T2 helps or harms."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from motsim.claims.schedule import EXPONENT, log_loss, thresholds
from motsim.figures import style
from motsim.results.tables import Tables

__all__ = ["draw"]


def draw(tables: Tables) -> dict[str, Figure]:
    """Return the figure."""
    figure, axes = style.panels(2, 2, height=2.5)
    runs, seeds = tables.runs, tables.main["seed"].nunique()
    heat(runs, "cubic", "cubic, κ = 8, 1,500 steps", axes[0])
    heat(runs, "linear", "linear, 2,500 steps", axes[1])
    gate(thresholds(runs[runs["case"] == "gate"]), axes[2])
    leak(log_loss(runs, "leaky"), axes[3])
    figure.supxlabel(f"{seeds} seeds: medians above; brackets of every seed and each seed below",
                     fontsize=7)  # fmt: skip
    return {"schedule": figure}


def heat(runs: pd.DataFrame, case: str, title: str, ax: Axes) -> None:
    """Draw the median final loss in decades over T1 and T2, with the numbers."""
    wide = log_loss(runs, case).median(axis=1).unstack("specialize_steps")
    if wide.empty:
        return
    image = ax.imshow(wide, cmap="cividis_r", vmin=-12, vmax=0, aspect="auto", origin="lower")
    for (row, column), value in np.ndenumerate(wide.to_numpy()):
        light = value < -5
        ax.text(column, row, f"{round(value)}", ha="center", va="center", fontsize=6.5,
                color="black" if light else "white")  # fmt: skip
    ax.set_xticks(range(wide.shape[1]), [f"{t:.0f}" for t in wide.columns])
    ax.set_yticks(range(wide.shape[0]), [f"{t:.0f}" for t in wide.index])
    ax.grid(visible=False)
    ax.set_xlabel("T₁ (steps of stage I)")
    ax.set_ylabel("T₂ (steps of stage II)")
    ax.set_title(title)
    ax.figure.colorbar(image, ax=ax, label="log₁₀ final loss")


def gate(brackets: pd.DataFrame, ax: Axes) -> None:
    """Draw the bracket of the threshold in T1 against the gate's step, and the derived slope."""
    if brackets.empty:
        return
    center = np.sqrt(brackets["fails"] * brackets["succeeds"])
    ax.vlines(brackets["gate_rate"], brackets["fails"], brackets["succeeds"],
              color=style.PALETTE[0], lw=2, alpha=0.5, label="fails … succeeds")  # fmt: skip
    rate = np.array([brackets["gate_rate"].min(), brackets["gate_rate"].max()])
    level = np.exp(np.mean(np.log(center) - EXPONENT * np.log(brackets["gate_rate"])))
    ax.plot(rate, level * rate**EXPONENT, "--", color="k", lw=1, label="slope −1/4 (derived)")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_yticks([150, 200, 300, 400], ["150", "200", "300", "400"])
    ax.minorticks_off()
    ax.set_xlabel("step size of the gate, ηᵣ")
    ax.set_ylabel("shortest T₁ that specializes")
    style.legend(ax, loc="lower left")


def leak(table: pd.DataFrame, ax: Axes) -> None:
    """Draw the final loss against T2 with attention that leaks, one line a seed."""
    if table.empty:
        return
    steps = table.index.get_level_values("align_steps").to_numpy(float)
    ax.plot(steps, 10.0 ** table.to_numpy(), "o-", color=style.PALETTE[3], lw=0.8, alpha=0.6)
    ax.set_yscale("log")
    ax.set_xlabel("T₂ (κ = 4, T₁ = 850)")
    ax.set_ylabel("final loss, 3,000 steps")
