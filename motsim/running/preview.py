"""What a sweep would run and how long that takes, without running it."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from motsim.plans.loading import load_sweep, sweep_names
from motsim.plans.plan import Cell, Sweep, SweepError
from motsim.results.store import Store
from motsim.running.progress import spell

__all__ = ["dry_run", "listed"]


def listed(jobs: int, warn: Callable[[str], None]) -> Iterator[str]:
    """Describe every sweep in lines."""
    for name in sweep_names():
        try:
            sweep = load_sweep(name)
            sizes = [f"    {tier}: {size(sweep.cells(tier), jobs)}" for tier in ("quick", "full")]
            yield from (name, f"    {sweep.title}", *sizes)
        except SweepError as error:
            warn(str(error))


def dry_run(sweep: Sweep, cells: Sequence[Cell], folder: Path, jobs: int) -> Iterator[str]:
    """Describe the runs of a sweep, and which of them a results folder holds already."""
    settled: dict[str, str] = {}
    if (folder / "results.db").is_file():
        with Store(folder, read_only=True) as store:
            settled = store.settled()
    yield f"{sweep.name}: {size(cells, jobs)}"
    if settled:
        left = [cell for cell in cells if cell.key not in settled]
        yield f"  left to do in {folder}: {size(left, jobs)}"
    axes: dict[str, dict[str, None]] = {}
    for cell in cells:
        for label, value in cell.labels.items():
            axes.setdefault(label, {})[str(value)] = None
    for label, values in axes.items():
        yield f"  {label} ({len(values)}): {', '.join(values)}"
    cases: dict[str, dict[str, dict[str, None]]] = {}
    for cell in cells:
        for label, value in cell.labels.items():
            case = cases.setdefault(cell.labels.get("case", ""), {})
            case.setdefault(label, {})[str(value)] = None
    for name, several in cases.items() if len(cases) > 1 else ():
        number = sum(cell.labels["case"] == name for cell in cells)
        sizes = [f"{label} ({len(v)})" for label, v in several.items() if label != "case"]
        yield f"  case {name}: {number} runs, {' x '.join(sizes)}"
    for cell in cells:
        labels = "  ".join(f"{label}={value}" for label, value in cell.labels.items())
        yield f"    {labels}  {settled.get(cell.key, '')}".rstrip()


def size(cells: Sequence[Cell], jobs: int) -> str:
    """Say how many runs there are and at most how long they take."""
    costs = [cell.cost for cell in {cell.key: cell for cell in cells}.values()]
    seconds = max(sum(costs) / jobs, max(costs, default=0.0))
    time = f", at most about {spell(seconds)} with {jobs} jobs" if costs else ""
    return f"{len(costs)} runs{time}"
