"""Tables of the quick tier, run once a session and shared by all claims; broken ones on demand."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from motsim.experiments.beside import forget
from motsim.extras import MissingExtraError
from motsim.plans.loading import load_sweep
from motsim.results.export import export
from motsim.results.store import Store
from motsim.running.runner import run_cells
from tests.claims.bounded import bounded_cells
from tests.claims.laws import KIND, SWEEP


@pytest.fixture(scope="session")
def results(tmp_path_factory) -> Path:
    """Results folder of all test processes; set MOTSIM_TEST_RESULTS to keep it between sessions."""
    if kept := os.environ.get("MOTSIM_TEST_RESULTS"):
        return Path(kept)
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "results"


@pytest.fixture(scope="session")
def run_sweep(results):
    """run_sweep(name, seeds=None, cases=None, **overrides) -> Tables.

    The runs within the claim's bound (`bounded.py`). Overrides break a sweep on purpose, `seeds`
    and `cases` choose runs; with any of these there is no bound. `cases="all"`: the whole tier.
    Tables are exported once a session, and copied for whoever asks again.
    """
    made = {}

    def run(name, seeds=None, cases=None, **overrides):
        asked = repr((name, seeds, cases, sorted(overrides.items())))
        if asked not in made:
            made[asked] = export_runs(name, seeds, cases, overrides)
        one = made[asked]
        others = {table: frame.copy() for table, frame in one.others.items()}
        return replace(one, meta=dict(one.meta), main=one.main.copy(), others=others)

    def export_runs(name, seeds, cases, overrides):
        sweep = load_sweep(name)
        cells = sweep.cells("quick", overrides, seeds)
        if cases not in (None, "all"):
            cells = [cell for cell in cells if cell.labels["case"] in cases]
            assert cells, f"no case of {name} is in {cases}"
        elif not overrides and not seeds and cases is None:
            cells = bounded_cells(sweep, cells)
        folder = results
        if overrides or seeds or cases:  # no other process may export tables of this name here
            folder = results / "broken" / os.environ.get("PYTEST_XDIST_WORKER", "")
        run_cells(cells, folder, 1)  # the test processes are enough
        with Store(folder) as store:
            return export(store, sweep, "quick", cells, folder)

    return run


@pytest.fixture(scope="session")
def run_quick(run_sweep):
    """run_quick(name, cases=None) -> Tables of the quick tier; skips where an extra is missing."""

    def run(name, cases=None):
        try:
            found = run_sweep(name, cases=cases)
        except MissingExtraError as error:
            pytest.skip(str(error))
        if "error" in found.runs:  # a kind may find out only when it runs
            for error in found.runs["error"].dropna().astype(str):
                if error.startswith(MissingExtraError.__name__):
                    pytest.skip(error)
        return found

    return run


@pytest.fixture
def laws(tmp_path):
    """laws(claim, ...) writes the sweep with a claim; returns its path."""
    (tmp_path / "curve.py").write_text(KIND)

    def write(claim, sweep=SWEEP):
        path = tmp_path / "laws.toml"
        path.write_text(sweep + claim)
        return str(path)

    yield write
    forget()
