"""Who runs a cell: a process and its place; whether it lives, where that can be looked up.

A place is a machine, its boot and the name spaces of its process numbers and clocks. Within one
place a number and a start time tell at once whether a process lives; of a process elsewhere they
tell nothing, whatever the hosts are called (see `presence` and `motsim.running.watch`).
"""

import hashlib
import os
import re
import secrets
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

__all__ = ["Owner", "lives", "myself", "sweep_id"]

UNKNOWN = "unknown"
NAME = re.compile(r"(\d+:\w+)\^([\w:]*)@(\w+\.\w+\.[\w-]+)\+(.*)", re.DOTALL)
#: Of motsim before name spaces: pid:start@host+boot.
OLDER = re.compile(r"(\d+:\w*)@([^+]*)\+([\w-]+)")


@dataclass(frozen=True)
class Owner:
    """A process that may hold runs.

    Attributes
    ----------
    process : str
        ``pid:start``; the start in clock ticks since boot.
    sweep : str
        Of the process that gives signs of life for it, a `sweep_id`; empty if none does.
    place : str
        ``machine.boot.spaces``.
    host : str
        For people; it decides nothing.
    older : bool
        Whether it was named by a motsim that gave no signs of life.
    """

    process: str
    sweep: str
    place: str
    host: str
    older: bool = False

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a name; None if it is none (a damaged one)."""
        if found := NAME.fullmatch(text):
            return cls(found[1], found[2], found[3], found[4])
        if found := OLDER.fullmatch(text):
            process, host, boot = found.groups()
            return cls(process, "", f"{UNKNOWN}.{_short(boot)}.{UNKNOWN}", host, older=True)
        return None

    def __str__(self) -> str:
        """As it stands in a store."""
        return f"{self.process}^{self.sweep}@{self.place}+{self.host}"

    @property
    def pid(self) -> str:
        """Number of the process to end, if it is to let go: that of the sweep."""
        return (self.sweep or self.process).partition(":")[0]

    @property
    def boot(self) -> str:
        """Which start of which machine."""
        return self.place.split(".")[1]

    @property
    def signs(self) -> str:
        """Name under which signs of life are given for it."""
        return f"{self.sweep or self.process}@{self.place}"

    @property
    def marks(self) -> tuple[str, ...]:
        """What is locked for as long as this process, or the one that answers for it, is there."""
        whole = (self.process, ":".join(self.sweep.split(":")[:2]))
        return tuple(f"{process}@{self.place}" for process in whole if process)

    def shares_boot(self) -> bool:
        """Whether it is of this machine since its last start, in whatever name space."""
        return self.boot == _boot() != UNKNOWN


def myself(sweep: str = "") -> Owner:
    """Return this process; `sweep`: of the process that gives signs of life for it."""
    pid = _own_pid()
    return Owner(f"{pid}:{_start_time(pid)}", sweep, _place(), socket.gethostname())


@cache
def sweep_id() -> str:
    """Name this process as one that gives signs of life, apart from all others anywhere."""
    return f"{myself().process}:{secrets.token_hex(4)}"


def lives(owner: Owner, me: Owner) -> bool | None:
    """Whether a process lives; None if that cannot be looked up from here."""
    pid, _, start = owner.process.partition(":")
    found = bool(start) and _start_time(int(pid)) == start
    if owner.older:  # this very process, or one of which nothing is known
        return (owner.shares_boot() and found) or None
    comparable = UNKNOWN not in owner.place or (owner.sweep and owner.sweep == me.sweep)
    return found if owner.place == me.place and comparable else None


@cache
def _place() -> str:
    return f"{_machine()}.{_boot()}.{_spaces()}"


def _machine() -> str:
    name = ""
    with suppress(OSError):
        name = Path("/etc/machine-id").read_text().strip()
    return hashlib.blake2b((name or socket.gethostname()).encode(), digest_size=4).hexdigest()


def _boot() -> str:
    with suppress(OSError, subprocess.SubprocessError):
        if sys.platform == "darwin":
            call = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
            return _short(subprocess.run(call, capture_output=True, check=True, text=True).stdout)
        return _short(Path("/proc/sys/kernel/random/boot_id").read_text())
    return UNKNOWN


def _short(boot: str) -> str:
    return re.sub(r"\W", "", boot)[:12].lower() or UNKNOWN


def _spaces() -> str:
    """Name spaces of the process numbers in /proc, and of the clock that its start times are of."""
    if sys.platform == "darwin":
        return "none"
    try:
        numbers = [_inode("pid"), _inode("time") if Path("/proc/self/ns/time").exists() else "0"]
        if os.readlink("/proc/self") != str(os.getpid()) or _nested():
            # /proc is that of a space around this one: its numbers are good where it is mounted.
            numbers.append(str(os.stat("/proc").st_dev))
    except OSError:
        return UNKNOWN
    return "-".join(numbers)


def _inode(kind: str) -> str:
    return re.sub(r"\D", "", os.readlink(f"/proc/self/ns/{kind}"))


def _nested() -> bool:
    """Whether this process has further numbers in spaces below the one that /proc shows."""
    status = Path("/proc/self/status").read_text(errors="replace")
    line = re.search(r"^NSpid:(.*)$", status, re.MULTILINE)
    return line is not None and len(line[1].split()) > 1


def _own_pid() -> int:
    """Number of this process as /proc has it, which need not be what the system calls give."""
    with suppress(OSError, ValueError):
        return int(os.readlink("/proc/self"))
    return os.getpid()


def _start_time(pid: int) -> str:
    """Start of a process in clock ticks since boot; empty if there is none (or a zombie)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    except (OSError, IndexError):
        return "" if Path("/proc/self/stat").exists() else _without_proc(pid)


def _without_proc(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return ""
    except PermissionError:
        pass
    return "running"
