"""Who is running a cell: a process, named so that a dead one is recognised at once."""

import os
import socket
from functools import cache
from pathlib import Path

__all__ = ["is_alive", "myself"]


def myself() -> str:
    """Return ``pid:start@host+boot`` of this process; unique over restarts and reused pids."""
    pid = os.getpid()
    return f"{pid}:{_start_time(pid)}@{_here()}"


def is_alive(owner: str) -> bool:
    """Whether an owner still runs; one on another machine counts as running."""
    process, _, place = owner.partition("@")
    if place != _here():
        # Same host after a reboot: dead. Another host: cannot be known from here.
        return place.partition("+")[0] != socket.gethostname()
    pid, _, start = process.partition(":")
    if not (pid.isascii() and pid.isdigit()):
        return False  # not a name that was given here: a damaged one
    return _start_time(int(pid)) == start


@cache
def _here() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot = "unknown"
    return f"{socket.gethostname()}+{boot}"


def _start_time(pid: int) -> str:
    """Start of a process in clock ticks since boot; empty if there is none (or a zombie)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "" if Path("/proc/self/stat").exists() else _without_proc(pid)
    return "" if fields[0] == "Z" else fields[19]


def _without_proc(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "running"
