"""Routing: where each class is sent at the stage boundaries, and the accuracy along training."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from motsim.claims.routing import accuracy_course, dispatch_matrix
from motsim.figures import style
from motsim.results.tables import Tables

__all__ = ["accuracy", "draw", "heat_map"]

#: Case -> label, color, line.
LOOK = {
    "cubic": ("cubic, N = 4", 0, "-"),
    "linear": ("linear, N = 4", 1, "-"),
    "cubic-eight": ("cubic, N = 8", 2, "-"),
    "linear-generic": ("linear, generic start", 3, "--"),
    "frozen-gate": ("cubic, frozen gate", 7, "--"),
}
#: The same for the right panel.
VARIED = {
    "cubic-correlated": ("cubic, ρ$_c$ = 0.3", 0, "-"),
    "cubic-correlated-strong": ("cubic, ρ$_c$ = 0.7", 0, "--"),
    "cubic-slow-gate": ("cubic, gate 0.3 × as fast", 4, ":"),
    "linear-anticorrelated": ("linear, ρ$_c$ = −0.3, M = 6", 1, "-"),
    "linear-correlated": ("linear, ρ$_c$ = 0.7", 1, "--"),
    "cubic-four-neurons": ("cubic, four neurons", 2, "-."),
    "cubic-top-2": ("cubic, sampled top-2", 3, "-."),
}
MAPS = {"cubic": "cubic", "linear": "linear"}


def draw(tables: Tables) -> dict[str, Figure]:
    """Return both figures."""
    table = tables.others["routing"]
    cases = [case for case in MAPS if (table["case"] == case).any()]
    figure, axes = style.panels(4, max(len(cases), 1), height=1.75)
    image = None
    for row, case in enumerate(cases):
        here = table[(table["case"] == case) & (table["seed"] == 0)]
        starts = here.groupby("stage", sort=False)["step"].min().tolist()
        early = here["step"][here["step"] <= starts[1] / 10].max() if len(starts) > 1 else 0
        moments = [
            (int(early), "stage I"), *zip(map(int, starts[1:]), ["end of I", "end of II"],
            strict=False), (int(here["step"].max()), "end of III"),
        ]  # fmt: skip
        last = dispatch_matrix(tables, case, 0, int(here["step"].max()))
        order = np.lexsort((-last.max(axis=1), last.argmax(axis=1) + 9.0 * (last.max(axis=1) == 0)))
        for i_moment, (step, name) in enumerate(moments[:4]):
            ax = axes[4 * row + i_moment]
            image = heat_map(dispatch_matrix(tables, case, 0, step)[order], ax)
            ax.set_title(f"{name}\nstep {step:,}", fontsize=7.5)
        axes[4 * row].set_ylabel(f"{MAPS[case]}\nclass n")
    if image is not None:
        figure.colorbar(image, ax=axes, shrink=0.6, label="share of the class")
    figure.supxlabel("expert, ordered by the class it serves at the end  (seed 0)", fontsize=8)

    course_figure, axes = style.panels(2, height=3.1)
    for ax, look in zip(axes, (LOOK, VARIED), strict=True):
        accuracy(tables, ax, look)
        style.legend(
            ax,
            loc="lower center",
            bbox_to_anchor=(0.5, 1.06),
            ncols=2,
            fontsize=6.5,
            handlelength=1.6,
            handletextpad=0.5,
            columnspacing=0.8,
        )
    return {"routing": figure, "routing-accuracy": course_figure}


def heat_map(matrix: np.ndarray, ax: Axes) -> AxesImage:
    """Draw the share of each class (M, N) that an expert gets."""
    image = ax.imshow(
        matrix.T, cmap="cividis", vmin=0, vmax=1, aspect="auto", interpolation="nearest"
    )
    ax.set_yticks(range(matrix.shape[1]), [str(n + 1) for n in range(matrix.shape[1])])
    ax.set_xticks([])
    ax.grid(False)
    return image


def accuracy(tables: Tables, ax: Axes, look: Mapping[str, tuple[str, int, str]] = LOOK) -> None:
    """Draw P[m(X) in M_n] of the cases in `look` against the step: median and quartiles."""
    course = accuracy_course(tables)
    course = course[course["case"].isin(list(look))]
    names = [str(case) for case in course["case"].drop_duplicates()]
    for i_case, (case, rows) in enumerate(course.groupby("case", sort=False)):
        label, color, line = look[str(case)]
        wide = rows.drop_duplicates(["seed", "step"]).pivot(
            index="step", columns="seed", values="accuracy"
        )
        wide = wide[wide.index > 0].interpolate(method="index", limit_area="inside").ffill()
        paint = style.PALETTE[color]
        ax.plot(wide.index, wide.median(axis=1), color=paint, ls=line, label=label)
        # Bars beside each other: bands over each other mix to a color that means nothing.
        ax.vlines(
            wide.index * 1.05 ** (i_case - (len(names) - 1) / 2), wide.quantile(0.25, axis=1),
            wide.quantile(0.75, axis=1), color=paint, lw=0.9, alpha=0.6,
        )  # fmt: skip
    cubic = course[course["case"].isin(["cubic", "cubic-correlated"])]
    starts = cubic.groupby("stage", sort=False)["step"].min()
    stops = [*starts.iloc[1:], cubic["step"].max()] if len(cubic) else []
    names = ["I", "II", "III"]
    ax.set_xscale("log")
    style.label_stages(
        ax,
        [(n, max(a, 1), b) for n, a, b in zip(names, starts, stops, strict=False) if b > max(a, 1)],
    )
    ax.set_ylim(-0.03, 1.04)
    if look is LOOK:
        ax.set_ylabel("P[m(X) ∈ M$_n$]")
    ax.set_xlabel("step")
    ax.figure.supxlabel(
        f"median; bars: middle half of {course['seed'].nunique()} seeds; gray: stages", fontsize=8
    )
