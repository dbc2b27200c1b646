"""A folder of a user's with a kind of run and its sweep, called in this process."""

import textwrap

import pandas as pd

from motsim.plans.loading import load_sweep
from motsim.sweep import main

KIND = """
from motsim import KindSettings, Result
from helper import FACTOR


class Settings(KindSettings):
    seed: int = 0
    level: float = 1.0


def run(settings):
    return Result("done", {"value": FACTOR * settings.level + settings.seed})
"""
SWEEP = """
title = "Quad"
kind = "quad:run"
seeds = 2

[grid]
level = [1.0, 2.0]
"""


def call(paper, *words, code=0):
    out = paper.parent / "out"
    words = [str(paper / "quad.toml"), "--out", str(out), "--progress", "quiet", *words]
    assert main([*words, "--no-figure"]) == code
    return pd.read_csv(out / "quad.csv")["value"].tolist()


def stored(paper):
    import sqlite3

    db = sqlite3.connect(paper.parent / "out" / "results.db")
    (number,) = db.execute("SELECT count(*) FROM runs").fetchone()
    db.close()
    return number


def keys(paper):
    return [cell.key for cell in load_sweep(str(paper / "quad.toml")).cells()]


PACKAGE = {
    "mypkg/__init__.py": "",
    "mypkg/sub/__init__.py": "from . import deep\n",
    "mypkg/sub/deep.py": "from ..top import A; import mypkg.late as b\n",
    "mypkg/top.py": "from .star import *\nA = 1.0\n",
    "mypkg/star.py": "B = 1.0\n",
    "mypkg/late.py": "C = 1.0\n",
    "mypkg/unused.py": "D = 1.0\n",
    "mypkg/quad.py": KIND.replace("from helper import FACTOR", "from mypkg.sub import deep")
    .replace("FACTOR *", "deep.A *"),
}  # fmt: skip


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(textwrap.dedent(text))
