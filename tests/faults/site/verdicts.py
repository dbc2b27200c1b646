"""Judges claims on some of their runs, and prints rows and verdicts as JSON; one process a CPU.

Usage: python verdicts.py FOLDER '{"CLAIM": {"LABEL": [VALUE, ...]}}' [DISTURBANCE]

Only what these runs need is compiled. DISTURBANCE is what the comparison must see: `start` moves
the starting weights by 1e-4 of themselves, `short` lets no run go on after 100 steps of a stage.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numba
import numpy as np

from motsim.claims import claim_module
from motsim.experiments import kind_module
from motsim.plans.loading import load_sweep
from motsim.results.export import export
from motsim.results.store import Store
from motsim.running.runner import run_cells


def move_start(module):
    """Other weights to begin with."""
    prepare = module.prepare

    def moved(settings):
        points, start = prepare(settings)
        return points, replace(start, neurons=start.neurons * (1 + 1e-4))

    module.prepare = moved


def cut_short(module):
    """A budget with which no law can be told."""
    stages = module.stages
    module.stages = lambda settings: [
        replace(stage, steps=min(stage.steps, 100)) for stage in stages(settings)
    ]


DISTURBANCES = {"start": move_start, "short": cut_short}


def judged(name, labels, folder):
    """Rows and verdicts of one claim, from the runs with these labels."""
    sweep = load_sweep(name)
    cells = [
        cell
        for cell in sweep.cells()
        if all(cell.labels[label] in wanted for label, wanted in labels.items())
    ]
    run_cells(cells, folder, 1)
    with Store(folder) as store:
        tables = export(store, sweep, "quick", cells, folder)
    findings = claim_module(name).judge(tables)
    rows = tables.main.astype(object).where(tables.main.notna(), None).to_dict("list")
    return {"rows": rows, "verdicts": {found.case: found.verdict for found in findings}}


def wide_registers():
    """Whether numba compiles for registers that a generic x86 lacks."""
    double = numba.njit(lambda x: 2.0 * x)
    double(np.ones(8))
    return any("ymm" in text for text in double.inspect_asm().values())


if __name__ == "__main__":
    folder, claims, *disturbances = sys.argv[1:]
    for disturbance in disturbances:
        DISTURBANCES[disturbance](kind_module("mixture"))
    found = {
        name: judged(name, labels, Path(folder) / name)
        for name, labels in json.loads(claims).items()
    }
    print(json.dumps({"claims": found, "wide": wide_registers()}))
