"""Specialization: experts against classes over the stages, and the entropy in every case."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from motsim.claims.specialization import ENTROPY_SHARE, LOAD, alignment_matrix, final_state
from motsim.figures import style
from motsim.results.tables import Tables

__all__ = ["draw", "entropies", "heat_map"]

MAPS = {
    "cubic": "cubic, generic start",
    "linear-orthogonal": "linear, orthogonal start",
    "linear-generic": "linear, generic start",
}
NAMES = {
    "cubic": "cubic",
    "linear-orthogonal": "linear, orthogonal start",
    "linear-generic": "linear, generic start",
    "linear-noise-apart": "linear, noise off $c_n$",
    "linear-noise-overlap": "linear, noise on $c_n$",
    "cubic-sample": "cubic, 2,400 samples",
}


def draw(tables: Tables) -> dict[str, Figure]:
    """Return both figures."""
    table = tables.others["specialization"]
    image, experts = None, final_state(tables)
    cases = [case for case in MAPS if (experts["case"] == case).any()]
    figure, axes = style.panels(3, max(len(cases), 1), height=1.75)
    for row, case in enumerate(cases):
        here = table[(table["case"] == case) & (table["seed"] == 0)]
        stage = here[here["stage"] == "specialize"]["step"]
        ends = stage.max() if len(cases) else 0
        later = here[here["stage"] != "specialize"]["step"]
        goes_on = len(later) > 0 and later.max() > later.min()
        first_after, middle = (later.min(), "end of stage I") if goes_on else (ends, "stage I")
        if not goes_on:  # it ends with stage I: the other panel shows the way there
            before = stage[(stage > stage.min()) & (stage <= ends / 2)]
            first_after = before.max() if len(before) else stage.min()
        order = order_of_experts(alignment_matrix(tables, case, 0, int(here["step"].max())))
        load = experts[(experts["case"] == case) & (experts["seed"] == 0)]["load"].to_numpy()
        used = np.flatnonzero(load[order] >= LOAD)
        moments = [
            (int(here["step"].min()), "start"),
            (int(first_after), middle),
            (int(here["step"].max()), "end of stage III" if goes_on else "end of stage I"),
        ]
        for i_moment, (step, name) in enumerate(moments):
            ax = axes[3 * row + i_moment]
            image = heat_map(alignment_matrix(tables, case, 0, step)[order], ax)
            ax.plot(
                used, np.full(len(used), -0.04), "^", ms=3, color=style.PALETTE[3],
                transform=ax.get_xaxis_transform(), clip_on=False,
            )  # fmt: skip
            ax.set_title(f"{name}, step {step:,}")
        axes[3 * row].set_ylabel(f"{MAPS[case]}\nclass n")
    if image is not None:
        figure.colorbar(image, ax=axes, shrink=0.5, label="|⟨w, v$_n$⟩| / largest of the expert")
    figure.supxlabel(
        "expert, ordered by its class at the end  (seed 0; ▲: in use at the end)", fontsize=8
    )

    entropy_figure, (ax,) = style.panels(height=2.3)
    entropies(tables, ax)
    return {"specialization": figure, "specialization-entropy": entropy_figure}


def order_of_experts(matrix: np.ndarray) -> np.ndarray:
    """Experts by class, the largest alignment first."""
    order: np.ndarray = np.lexsort((-matrix.max(axis=1), matrix.argmax(axis=1)))
    return order


def heat_map(matrix: np.ndarray, ax: Axes) -> AxesImage:
    """Draw alignments (M, N), each expert scaled to its largest."""
    scaled = matrix / matrix.max(axis=1, keepdims=True)
    image = ax.imshow(scaled.T, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    ax.set_yticks(range(matrix.shape[1]), [str(n + 1) for n in range(matrix.shape[1])])
    ax.set_xticks([])
    ax.grid(False)
    return image


def entropies(tables: Tables, ax: Axes) -> None:
    """Draw every run's dispatch entropy by case, in units of log N."""
    runs = tables.runs
    cases = [case for case in NAMES if (runs["case"] == case).any()]
    scale = np.log(tables.others["routing"]["class"].max() + 1)
    for i_case, case in enumerate(cases):
        values = runs.loc[runs["case"] == case, "dispatch_entropy"].dropna() / scale
        spread = np.linspace(-0.22, 0.22, len(values))
        failed = (values > ENTROPY_SHARE).mean() > 0.5
        ax.scatter(
            values, i_case + spread, s=10, color=style.PALETTE[3 if failed else 0], lw=0, zorder=3
        )
    ax.axvline(ENTROPY_SHARE, color=style.GRAY, lw=0.8, ls="--")
    ax.text(
        ENTROPY_SHARE + 0.01, 1.0, "criterion", transform=ax.get_xaxis_transform(), fontsize=6.5,
        color=style.GRAY, va="bottom",
    )  # fmt: skip
    ax.set_yticks(range(len(cases)), [NAMES[case] for case in cases])
    ax.invert_yaxis()
    ax.set_xlim(-0.03, 1.0)
    ax.set_xlabel(f"dispatch entropy / log N  ({runs['seed'].nunique()} seeds a case)")
