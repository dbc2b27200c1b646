"""Figures, drawn from stored tables: one module a claim, nothing computed but fits.

A figure module has ``draw(tables) -> dict of name to matplotlib Figure``; the module's name with
dashes is the name of its sweep and of its claim. Nothing lists figures by hand.
"""

import io
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motsim.experiments.plugins import plugins
from motsim.plans.changes import split_table
from motsim.results.files import TableFile, clean, replace_all
from motsim.results.folder import check_folder
from motsim.results.store import FAILED
from motsim.results.tables import Tables, TablesError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

    from motsim.figures.venue import Width

__all__ = ["ANY", "check", "draw", "drawn", "figure_module", "figure_names", "laid_out"]

ANY = "any-sweep"  # of sweeps without a figure of their own
NOT_FIGURES = {
    "animation",
    "any_sweep",
    "caption",
    "dark",
    "inline",
    "legends",
    "style",
    "venue",
    "__main__",
}
#: Format -> what its metadata must leave out, so that the same tables give the same bytes.
FORMATS: dict[str, dict[str, Any]] = {
    "pdf": {"CreationDate": None},
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
}


def figure_names() -> list[str]:
    """Names of all figure modules, plugged in ones as well, as their sweeps are called."""
    modules = {module.name for module in pkgutil.iter_modules(__path__)} - NOT_FIGURES
    return sorted({name.replace("_", "-") for name in modules} | plugins("motsim.figures").keys())


def figure_module(name: str) -> Any:
    """Return the module of one figure; one that comes with motsim wins over a plugged in one."""
    own = f"{__name__}.{name.replace('-', '_')}"
    plugged = plugins("motsim.figures").get(name, "").partition(":")[0]
    return import_module(plugged if plugged and not find_spec(own) else own)


def check(tables: Tables) -> None:
    """Refuse tables that hold nothing to draw.

    Raises
    ------
    TablesError
        If there is no row, no finished run, or no number; the message says what to run.
    """
    name, main = tables.name, tables.main
    sweep = f"python -m motsim.sweep {tables.call}"
    if main.empty or not {"run", "status"} <= set(main):
        raise TablesError(f"{name}.csv has no run to draw; fill it with: {sweep}")
    status = tables.runs["status"]
    if status.isin((*FAILED, "diverged")).all():
        counts = ", ".join(f"{n} {s}" for s, n in status.value_counts().sort_index().items())
        raise TablesError(
            f"none of the {len(status)} runs of {name} can be drawn ({counts}); try failed ones"
            f" again: {sweep} --retry-failed"
        )
    beside = {*tables.labels, "run", "status", "epsilon"}
    numbers = main.loc[:, [column for column in main if column not in beside]]
    if numbers.select_dtypes("number").isna().all(axis=None):
        raise TablesError(
            f"{name}.csv holds no number to draw, only labels; make it again with: {sweep}"
        )


@contextmanager
def drawn(name: str, tables: Tables) -> "Iterator[dict[str, Figure]]":
    """Yield one module's figures by name, in the common look; close them at the end.

    Raises
    ------
    TablesError
        If the tables hold nothing to draw, or not what this figure needs.
    """
    check(tables)
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    from motsim.figures import style

    module = figure_module(name)
    before = set(plt.get_fignums())
    try:
        with style.context():
            yield module.draw(tables)
    except TablesError:
        raise
    except (LookupError, ValueError, TypeError, ArithmeticError) as error:
        raise TablesError(
            f"the tables of {name} are not what its figure needs ({type(error).__name__}: {error});"
            f" make them again with: python -m motsim.sweep {tables.call}"
        ) from error
    finally:
        for number in set(plt.get_fignums()) - before:
            plt.close(number)


def laid_out(figure: "Figure") -> "Bbox | None":
    """Lay a figure out for good; return the part of it that is drawn, in inches (None: all).

    Saved without it, it would be laid out and drawn once more for each format. For print the
    part is exactly as wide as the figure, whatever is drawn in it.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.transforms import Bbox

    from motsim.figures import venue
    from motsim.figures.legends import settle, thinned

    usual, dpi = figure.dpi, mpl.rcParams["savefig.dpi"]
    figure.dpi = usual if dpi == "figure" else dpi
    if engine := figure.get_layout_engine():
        engine.execute(figure)
        if venue.wide():
            venue.fit(figure, FigureCanvasAgg(figure).get_renderer())
            venue.within(figure, engine)
            renderer = FigureCanvasAgg(figure).get_renderer()
            thinned(figure, renderer)
            settle(figure, renderer)
        figure.set_layout_engine(None)
    frame = None
    if mpl.rcParams["savefig.bbox"] == "tight":
        frame = figure.get_tightbbox().padded(mpl.rcParams["savefig.pad_inches"])
    if frame and venue.wide():
        frame = Bbox.from_extents(0.0, frame.y0, figure.get_figwidth(), frame.y1)
    figure.dpi = usual
    return frame


def draw(
    name: str,
    tables: Tables,
    folder: Path,
    width: "Width | None" = None,
    *,
    serif: bool = False,
    captions: bool = False,
) -> list[Path]:
    """Draw one module's figures as PDF, PNG and SVG into ``folder/figures``; return the PNG paths.

    Those of changed runs carry the ending of their tables' name, as ``@seed_start=1000``.
    Nothing in the files depends on time: the same tables give the same pictures. No file is
    replaced unless all can be drawn and written.

    Parameters
    ----------
    name : str
    tables : Tables
    folder : Path
        Results folder.
    width : Width, optional
        Of the page it is printed on; by default as on a screen.
    serif : bool
    captions : bool
        Also judge the claim: its caption goes beside as ``NAME.tex`` and into the PDF.

    Raises
    ------
    TablesError
        If the tables hold nothing to draw, or not what this figure needs.
    StoreError
        If they cannot be written; the old files stay as they were.
    """
    from motsim.figures.venue import printed

    files: dict[str, bytes] = {}
    ending = tables.name.removeprefix(split_table(tables.name)[0])
    with printed(width, serif=serif), drawn(name, tables) as figures:
        words = None
        if captions:
            from motsim.figures.caption import caption

            words = caption(name, tables, folder)
        for title, figure in figures.items():
            frame = laid_out(figure)
            for suffix, usual in FORMATS.items():
                metadata = usual
                if words and suffix == "pdf":
                    metadata = usual | {"Title": words.title, "Subject": words.text}
                stream = io.BytesIO()
                figure.savefig(stream, format=suffix, metadata=metadata, bbox_inches=frame)
                files[f"{title}{ending}.{suffix}"] = stream.getvalue()
            if words:
                files[f"{title}{ending}.tex"] = words.latex(title).encode()
    target = folder / "figures"
    check_folder(target)
    parts = {name: TableFile(target / name) for name in files}
    for title in {name.rpartition(".")[0] for name in files}:
        clean(target, title)
    with replace_all(list(parts.values()), nullcontext):
        for name, content in files.items():
            parts[name].write_bytes(content)
    return [target / file for file in files if file.endswith(".png")]
