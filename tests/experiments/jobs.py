"""The same runs with another number of jobs."""

from motsim.experiments import kind_module
from motsim.plans.plan import Cell
from motsim.results.store import Store, run_key
from motsim.running.runner import run_cells


def results_by_jobs(kind, made, folder):
    """Results of the runs with these settings, with 1 and with 2 jobs."""
    cells = [
        Cell(
            {"seed": s.seed}, s.model_dump(exclude={"seed"}), kind,
            run_key(kind, s.model_dump(), kind_module(kind).__name__), 1.0,
        )
        for s in made
    ]  # fmt: skip
    results = []
    for jobs in (1, 2):
        run_cells(cells, folder / str(jobs), jobs)
        with Store(folder / str(jobs)) as store:
            found = {row.key: row.result for row in store.read([cell.key for cell in cells])}
        results.append([found[cell.key] for cell in cells])
    return results
