"""A kind of run for tests only: cheap, deterministic, and able to misbehave.

`sitecustomize.py` beside it adds this folder to motsim's kinds in every process that has the
folder on PYTHONPATH; the fixture `kinds` (tests/conftest.py) does both.
"""

import os
import time
from pathlib import Path
from typing import Literal

import numba
import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from threadpoolctl import threadpool_info

from motsim.experiments.result import Result
from motsim.randomness import generator


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    seed: int = Field(0, ge=0)
    level: int = 0
    size: int = Field(0, ge=0, description="of a product of matrices")
    seconds: float = Field(0.0, ge=0, description="to sleep")
    log: str = Field("", description="file that gets one line a run that begins")
    mood: Literal["good", "raises", "kills", "threads"] = "good"


def cost(settings):
    return settings.seconds + 1e-9 * settings.size**3


def run(settings):
    s = settings
    if s.log:
        with Path(s.log).open("a") as stream:
            stream.write(f"{s.level} {s.seed} {os.getpid()}\n")
    if s.mood == "raises":
        raise ArithmeticError(f"seed {s.seed}")
    time.sleep(s.seconds)
    if s.mood == "kills":
        os._exit(9)
    random = generator(s.seed, "signals")
    metrics = {"value": float(random.standard_normal())}
    if s.size:
        a, b = random.standard_normal((2, s.size, s.size))
        product = a @ b
        metrics |= {"trace": float(np.trace(product @ product)), "corner": float(product[0, -1])}
    if s.mood == "threads":
        blas = [pool["num_threads"] for pool in threadpool_info()]
        metrics |= {"blas": max(blas, default=0), "numba": numba.get_num_threads()}
    return Result("done", metrics)
