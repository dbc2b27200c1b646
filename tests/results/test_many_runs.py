"""An export holds few runs at a time, however many there are (numbers: benchmarks/many.py)."""

import gc
import tracemalloc

import pytest

from motsim.experiments.result import Result
from motsim.plans.loading import load_sweep
from motsim.results import export
from motsim.results.store import Store

ROWS = 300
FEW, MANY = 20, 100


@pytest.fixture
def peak(kinds, tmp_path, monkeypatch):
    """peak(runs, kept): bytes at most while so many runs are exported; tables are not read back."""
    monkeypatch.setattr(export, "load_tables", lambda name, folder: None)
    monkeypatch.setattr(export, "PLAIN_FIELDS", 0)  # few runs are packed too: it takes 256 kB

    def measured(runs, kept):
        folder = tmp_path / str(runs)
        folder.mkdir(exist_ok=True)
        file = folder / "many.toml"
        file.write_text(f'title = "Many"\nkind = "probe"\nseeds = {runs}\n')
        sweep = load_sweep(str(file))
        cells = sweep.cells()
        monkeypatch.setattr(export, "KEPT_VALUES", kept)
        with Store(folder) as store:
            with store.together():
                for cell in cells if not store.settled() else ():
                    seed = cell.labels["seed"]
                    curve = {"loss": [1 / (seed + step + 3) for step in range(ROWS)]}
                    settings = {**cell.values, "seed": seed}
                    found = Result("done", {"value": 0.5}, {"curve": curve})
                    store.commit(cell.key, cell.kind, settings, found, 0.0)
            gc.collect()
            tracemalloc.start()
            try:
                export.export(store, sweep, "quick", cells, folder)
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

    return measured


def test_memory_of_an_export_does_not_grow_with_the_runs(peak):
    """The control keeps all runs: each has `ROWS` numbers, an object of 24 bytes and its place."""
    few = 5 * ROWS
    grown = peak(MANY, few) - peak(FEW, few)
    control = peak(MANY, 10**12) - peak(FEW, 10**12)
    all_of_them = (MANY - FEW) * ROWS * 32
    assert control > all_of_them
    assert grown < 0.2 * all_of_them, (grown, control)
