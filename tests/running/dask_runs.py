"""Sweeps of test-only runs on a cluster, in processes of their own."""

import importlib.util
import os
import subprocess
import sys
import time

import pytest

from motsim.sweep import main

needs_dask = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None, reason="extra `distributed` is not installed"
)


def computed(folder):
    """(level, seed) of every run that began, in order."""
    lines = (folder / "log").read_text().splitlines()
    return [tuple(map(int, line.split()[:2])) for line in lines]


def run(*words, code=0):
    assert main([*map(str, words), "--progress", "quiet"]) == code


def start(*words, program=("-m", "motsim.sweep"), **environment):
    return subprocess.Popen(
        [sys.executable, *program, *map(str, words), "--progress", "json"],
        env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def table(folder, name="probe"):
    return (folder / f"{name}.csv").read_bytes()


def wait_for_lines(log, count, process):
    for _ in range(3000):
        if log.exists() and len(log.read_text().splitlines()) >= count:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    raise AssertionError("nothing runs")
