"""Training as it goes, from the snapshots of one run: experts take classes, the gate sharpens.

Each frame is a snapshot that the run stored; nothing is made up between them.
"""

import io
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from motsim.claims.routing import dispatch_matrix
from motsim.claims.specialization import alignment_matrix
from motsim.figures import style
from motsim.results.files import TableFile, replace_all
from motsim.results.folder import check_folder
from motsim.results.tables import Tables, TablesError

__all__ = ["SWEEP", "animate", "frames", "write"]

SWEEP, CASE, SEED = "specialization", "cubic", 0
STAGES = {"specialize": "I", "align": "II", "converge": "III"}
DPI, FRAME, LAST = 110, 350, 2500  # milliseconds of a frame, and of the last one
COLORS = 128


def animate(tables: Tables, folder: Path) -> Path:
    """Write ``folder/figures/animation.gif``; return its path."""
    from contextlib import nullcontext

    target = folder / "figures"
    check_folder(target)
    part = TableFile(target / "animation.gif")
    content = write(frames(tables))
    with replace_all([part], nullcontext):
        part.write_bytes(content)
    return part.path


def frames(tables: Tables) -> list[Image.Image]:
    """Draw one picture a snapshot.

    Raises
    ------
    TablesError
        If the tables hold no snapshots of the run.
    """
    wanted = {"specialization", "routing", "curve"}
    if not wanted <= set(tables.others):
        raise TablesError(f"{tables.name} holds no snapshots; run: python -m motsim.sweep {SWEEP}")
    rows = tables.others["routing"]
    rows = rows[(rows["case"] == CASE) & (rows["seed"] == SEED)]
    moments = rows[["step", "stage"]].drop_duplicates("step").sort_values("step")
    if len(moments) < 2:
        raise TablesError(f"{tables.name} holds no snapshots of case {CASE}, seed {SEED}")
    with style.context():
        return [
            _frame(tables, int(step), str(stage), int(moments["step"].iloc[-1]))
            for step, stage in moments.itertuples(index=False, name=None)
        ]


def write(pictures: list[Image.Image]) -> bytes:
    """Return a GIF that plays the pictures again and again, with a rest on the last one."""
    indexed = [picture.quantize(COLORS) for picture in pictures]
    stream = io.BytesIO()
    indexed[0].save(
        stream, "GIF", save_all=True, append_images=indexed[1:], loop=0,
        duration=[FRAME] * (len(indexed) - 1) + [LAST],
    )  # fmt: skip
    return stream.getvalue()


def _frame(tables: Tables, step: int, stage: str, last: int) -> Image.Image:
    figure = Figure(figsize=(style.PAGE, 2.3), layout="constrained", dpi=DPI)
    left, middle, right = figure.subplots(1, 3)
    final = alignment_matrix(tables, CASE, SEED, last)
    order = np.lexsort((-final.max(axis=1), final.argmax(axis=1)))
    aligned = alignment_matrix(tables, CASE, SEED, step)
    scaled = aligned / np.maximum(aligned.max(axis=1, keepdims=True), 1e-300)
    _map(left, scaled[order], "experts choose classes")
    _map(middle, dispatch_matrix(tables, CASE, SEED, step)[order], "the gate sends classes")
    _loss(right, tables, step)
    figure.suptitle(f"step {step:,}, stage {STAGES.get(stage, stage)}", fontsize=9)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def _map(ax: Axes, matrix: np.ndarray, title: str) -> None:
    ax.imshow(matrix.T, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    ax.set_title(title)
    ax.set_xticks([])
    ax.set_yticks(range(matrix.shape[1]), [f"{n + 1}" for n in range(matrix.shape[1])])
    ax.set_xlabel("experts")
    ax.set_ylabel("class")
    ax.grid(visible=False)


def _loss(ax: Axes, tables: Tables, step: int) -> None:
    curve = tables.others["curve"]
    curve = curve[(curve["case"] == CASE) & (curve["seed"] == SEED)].sort_values("step")
    ax.plot(curve["step"], curve["loss"], color="0.8", lw=1.0)
    done = curve[curve["step"] <= step]
    ax.plot(done["step"], done["loss"], color=style.PALETTE[3])
    ax.plot(done["step"].iloc[-1:], done["loss"].iloc[-1:], "o", color=style.PALETTE[3])
    ax.set_yscale("log")
    ax.set_title("the loss falls")
    ax.set_xlabel("step")
