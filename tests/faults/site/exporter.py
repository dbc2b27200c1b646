"""Exports two stores' tables into one folder, in turn, until it is killed."""

import sys
from pathlib import Path

import driver

if __name__ == "__main__":
    driver.install()
    from motsim.experiments import kind_module
    from motsim.plans.loading import load_sweep
    from motsim.results.export import export
    from motsim.results.store import Store

    sweep, stores, folder = sys.argv[1], sys.argv[2:4], Path(sys.argv[4])
    found = load_sweep(sweep)
    note = kind_module("trial").note
    while True:
        for place in stores:
            with Store(Path(place)) as store:
                note("export")
                export(store, found, "quick", found.cells(), folder)
                note("exported")
