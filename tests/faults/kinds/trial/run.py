"""A kind of run for the fault tests: cheap and deterministic, as long and as bad as asked."""

import hashlib
import math
import os
import signal
import time
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from motsim.experiments.result import Result


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    seed: int = Field(0, ge=0)
    size: int = Field(20, ge=1)  # rows of its table
    seconds: float = Field(0.0, ge=0.0)  # that it sleeps
    loops: int = Field(0, ge=0)  # that it computes
    bad: int = -1  # seed of the run with the fate
    fate: Literal["raise", "kill", "deaf"] = "raise"


def note(text):
    """One line in the log of this test, whole even if several processes write."""
    log = os.environ.get("MOTSIM_FAULT_LOG")
    if log:
        handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(handle, f"{text}\n".encode())
        os.close(handle)


def cost(settings):
    return settings.seconds + 2e-8 * settings.loops + 1e-4


def spin(loops):
    """Keep one core busy."""
    for _ in range(loops):
        pass


def run(settings):
    if settings.seed == settings.bad and settings.fate == "deaf":  # as in compiled code
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    note(f"begin {settings.seed}")
    seconds = float(os.environ.get("MOTSIM_FAULT_SLEEP", settings.seconds))
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(0.001)
    spin(settings.loops)
    if settings.seed == settings.bad:
        if settings.fate == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if settings.fate == "raise":
            raise FloatingPointError("poison\nin two lines")
    digest = hashlib.blake2b(repr(settings).encode()).digest()
    numbers = [digest[i % 64] / (i + 1) for i in range(settings.size)]
    note(f"computed {settings.seed}")
    metrics = {"total": math.fsum(numbers), "first": numbers[0]}
    return Result("done", metrics, {"numbers": {"place": list(range(len(numbers))), "x": numbers}})
