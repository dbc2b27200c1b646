"""A sweep of runs that follow a law by construction, and what a claim says of it."""

import json

import motsim.report.__main__
import motsim.verify

KIND = '''
"""Runs that follow a law by construction, to a per cent, and have a share that succeeds."""
import numpy as np
from motsim import KindSettings, result_of_losses


class Settings(KindSettings):
    seed: int = 0
    p: float = 0.0
    scale: float = 1.0
    steps: int = 20_000


def run(settings):
    random = np.random.default_rng(settings.seed)
    scale = settings.scale * random.uniform(0.97, 1.03)
    t = np.arange(settings.steps + 1)
    if settings.p == 0:
        losses = np.exp(-0.02 * t / scale)
    else:
        losses = (1 + t / scale) ** (-1 / settings.p)
    return result_of_losses(losses, np.logspace(-1, -4, 16), lucky=int(settings.seed < 6))
'''
SWEEP = """
title = "Laws"
kind = "curve"
seeds = 8

[case.log]
[case.power]
p = 1.0
[case.slow]
scale = 3.0
"""


def judged(path, out, capsys, code=0, command=motsim.verify.main):
    """Findings of the claim, by case."""
    words = [path, "--out", str(out), "--progress", "quiet", "--jobs", "1", "--json"]
    assert command(words) == code
    (found,) = json.loads(capsys.readouterr().out).values()
    return {finding["case"]: finding for finding in found["findings"]}


def verdicts(found):
    return {case: finding["verdict"] for case, finding in found.items()}
