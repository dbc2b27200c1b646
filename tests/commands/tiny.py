"""A sweep of six short runs, called in this process, and what it leaves."""

import sqlite3
from pathlib import Path

import motsim.experiments.mixture.run
import motsim.plans.plan
from motsim.sweep import main

TINY = """
title = "Tiny"
kind = "mixture"
seeds = 3

[fixed]
num_classes = 2
dim = 5
num_experts = 3
specialize_steps = 60
align_steps = 20
converge_steps = 200
converge_rate = 0.05
epsilon_min = 1e-3

[case.mot]
model = "mot"

[case.single]
preset = "single"
converge_steps = 250
"""
RUNS = 6


def call(*arguments, code=0):
    """Without its picture, which tests/commands/test_own_sweeps.py looks at."""
    assert main([*map(str, arguments), "--no-figure"]) == code


def tables(folder):
    return {p.name: p.read_bytes() for p in Path(folder).glob("tiny*") if p.suffix != ".toml"}


def stored(folder):
    """Rows (key, status) of the store."""
    db = sqlite3.connect(folder / "results.db")
    rows = db.execute("SELECT key, status FROM runs ORDER BY key").fetchall()
    db.close()
    return rows


def count_runs(monkeypatch):
    """Count the runs that this process computes."""
    seeds = []
    run = motsim.experiments.mixture.run.run

    def counted(settings):
        seeds.append(settings.seed)
        return run(settings)

    monkeypatch.setattr(motsim.experiments.mixture.run, "run", counted)
    return seeds
