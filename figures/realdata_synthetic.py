"""The published setting of Chen et al.: accuracy and dispatch entropy beside the published."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from motsim.claims.realdata_synthetic import PUBLISHED, accuracies, entropies
from motsim.figures import style
from motsim.results.tables import Tables
from motsim.statistics.interval import stacked
from motsim.statistics.intervals import mean_interval

__all__ = ["draw", "values"]

CASES = [*PUBLISHED, "transformers-cubic"]
SPREAD = {"mixture-cubic": 0.55, "mixture-linear": 2.11}  # published standard deviations


def draw(tables: Tables) -> dict[str, Figure]:
    """Return the figure: accuracy left, entropy right."""
    figure, axes = style.panels(2, height=2.4)
    values(tables, axes[0], entropy=False)
    values(tables, axes[1], entropy=True)
    axes[0].set_xlabel("test accuracy (%)")
    axes[1].set_xlabel("dispatch entropy (nats)")
    axes[1].set_yticklabels([])
    seeds = tables.main["seed"].nunique()
    axes[1].legend(*axes[0].get_legend_handles_labels(), loc="lower right")
    figure.supxlabel(
        f"motsim: every one of {seeds} seeds, mean and 95 % interval; published: mean,"
        " ± standard deviation where given", fontsize=8,
    )  # fmt: skip
    return {"realdata-synthetic": figure}


def values(tables: Tables, ax: Axes, *, entropy: bool) -> None:
    """Draw every seed, the mean with its interval, and the published mean of each case."""
    for row, case in enumerate(reversed(CASES)):
        published = PUBLISHED.get(case, (None, 0.0, None, 0.0))[2 if entropy else 0]
        if published is not None:
            ax.errorbar(
                published, row + 0.2, xerr=None if entropy else SPREAD.get(case), fmt="D", ms=4.5,
                color=style.PALETTE[1], mfc="white", lw=0.9,
                label="published" if case == "mixture-cubic" else None,
            )  # fmt: skip
        if entropy and case.startswith("single"):
            continue
        found = (entropies if entropy else accuracies)(tables, case)
        mean, low, high = stacked([mean_interval(found)])
        ax.plot(found, [row - 0.1] * len(found), "o", ms=3, color=style.PALETTE[0], alpha=0.4, lw=0)
        ax.errorbar(
            mean, row - 0.1, xerr=[mean - low, high - mean], fmt="o", ms=4.5, lw=1.1,
            color=style.PALETTE[0], label="motsim" if case == "mixture-cubic" else None,
        )  # fmt: skip
    ax.set_yticks(range(len(CASES)), [case.replace("-", ", ") for case in reversed(CASES)])
    ax.set_ylim(-0.5, len(CASES) - 0.5)
    ax.grid(visible=False, axis="y")
