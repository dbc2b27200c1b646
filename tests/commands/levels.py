"""A kind of run with one level, its sweep, and what its claim measured."""

from motsim.claims._stored import claim_of_tables
from motsim.commands import compare
from motsim.results.tables import load_tables

KIND = """
from motsim import KindSettings, Result


class Settings(KindSettings):
    seed: int = 0
    level: float = 1.0


def run(settings):
    return Result("done", {"value": settings.level + 0.01 * settings.seed, "per_cent": 5.0})
"""
SWEEP = """
title = "Levels"
kind = "levels"
seeds = 12
[fixed]
level = LEVEL
[case.a_1]
[case.b]
level = 3.0
[claim]
share = { of = "value < 2", above = 0.3 }
[claim.case.b]
expected = "fails"
"""


def judged(folder):
    found = compare._tables(folder)
    tables = load_tables("levels", folder)
    assert list(found) == ["levels"]
    return claim_of_tables("levels", tables.meta, folder).judge(tables)[0].measured
