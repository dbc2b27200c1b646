"""`python -m motsim.sweep` with the kind `trial`, and with one protection off if asked.

Workers load it through `sitecustomize`. MOTSIM_FAULT_OFF names the protection.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def install():
    import motsim.experiments

    motsim.experiments.__path__.append(str(HERE.parent / "kinds"))
    if "MOTSIM_FAULT_FILE_SIZE" in os.environ:  # as on a disk that is full, without being root
        import resource

        most = int(os.environ["MOTSIM_FAULT_FILE_SIZE"])
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
    from motsim.experiments import kind_module
    from motsim.results.store import Store

    note = kind_module("trial").note
    commit = Store.commit

    def noted(self, key, *arguments, **options):
        commit(self, key, *arguments, **options)
        note(f"acknowledged {key}")

    Store.commit = noted
    if "MOTSIM_FAULT_HASTE" in os.environ:
        make_haste()
    if "MOTSIM_FAULT_MACHINE" in os.environ:
        be_another_machine(os.environ["MOTSIM_FAULT_MACHINE"])
    off = os.environ.get("MOTSIM_FAULT_OFF")
    if off:
        OFF[off](note)


def make_haste():
    """Signs of life come often, and silences are short."""
    import motsim.running.keeper
    import motsim.running.watch

    motsim.running.watch.BEAT = motsim.running.keeper.BEAT = 0.2
    motsim.running.watch.QUIET, motsim.running.watch.SILENCE = 1.0, 2.0
    motsim.running.keeper.TELL = 0.5


def be_another_machine(name):
    """Let this process believe that; the others' locks are not seen."""
    import motsim.results.ownership
    import motsim.results.presence

    motsim.results.ownership._machine = lambda: name
    motsim.results.ownership._boot = lambda: name
    motsim.results.presence.SET = motsim.results.presence.GET = None


def commit_later(note):
    """Runs are acknowledged at once, and written when there are twenty of them."""
    from motsim.results.store import Store

    commit, waiting = Store.commit, []

    def later(self, key, *arguments, **options):
        note(f"acknowledged {key}")
        waiting.append((key, *arguments))
        if len(waiting) == 20:
            for run in waiting:
                commit(self, *run)
            waiting.clear()

    Store.commit = later


def no_death_signal(note):
    """Workers are not told when their parent dies."""
    import motsim.running.runner

    motsim.running.runner.prepare_worker = lambda *arguments: None


def no_look_at_the_parent(note):
    """A worker asks to be told of its parent's death, though that may have been."""
    import motsim.running.runner

    prepare = motsim.running.runner.prepare_worker
    motsim.running.runner.prepare_worker = lambda parent: prepare(os.getppid())


def no_claims(note):
    """A run belongs to whoever comes."""
    from motsim.results.leases import Leases
    from motsim.results.store import Store

    Store.lease = lambda self, key: True
    Store.suspects = lambda self: set()
    Leases.others = lambda self: {}


def claims_for_ever(note):
    """A run that was begun stays with whoever began it, as with a plain lock file."""
    import motsim.results.leases

    motsim.results.leases.is_gone = lambda *owner: False


def claims_by_clock(note):
    """A claim holds for a minute of the wall clock."""
    import time

    import motsim.results.leases

    begin = float(os.environ.get("MOTSIM_FAULT_BEGIN", "0"))
    motsim.results.leases.is_gone = lambda *owner: time.time() - begin >= 60.0


def places_by_host(note):
    """One host name is one place, as it was: a number that is not found there is of a dead one."""
    import socket

    import motsim.results.ownership
    import motsim.results.presence

    motsim.results.ownership._place = lambda: f"x.{socket.gethostname()}.x"
    motsim.results.presence.SET = motsim.results.presence.GET = None


def no_signs(note):
    """A sweep gives one sign of life, and no more."""
    from motsim.results.leases import Leases

    give = Leases.give_sign

    def once(self):
        if not getattr(once, "given", False):
            once.given = True
            return give(self)
        return dict(self._db.rows("SELECT name, beat FROM signs"))

    Leases.give_sign = once


def no_farewell(note):
    """A sweep that ends leaves what its workers held to whoever finds it."""
    from motsim.results.leases import Leases

    Leases.end = lambda self: True


def no_looks(note):
    """Nobody looks for the signs of others."""
    from motsim.running.watch import Watch

    Watch.look = lambda *arguments: None


def no_locks(note):
    """No lock is made, and none is missed: a stopped process and a dead one look alike."""
    import motsim.results.files
    import motsim.results.presence

    motsim.results.presence.Presence.__init__ = lambda self, *arguments: setattr(
        self, "_file", None
    )
    motsim.results.files.lock_file = lambda descriptor: True


def no_limit_of_tries(note):
    """A run whose worker died is tried again and again."""
    import motsim.results.leases

    motsim.results.leases.MAX_TRIES = 10**9


def no_signal_handler(note):
    """SIGTERM ends the process at once."""
    import signal

    signal.signal = lambda *arguments: None


def give_up(note):
    """One bad run ends the sweep."""
    import motsim.running.runner

    execute = motsim.running.runner.execute

    def strict(*arguments):
        found = execute(*arguments)
        if "error" in repr(found):
            os._exit(3)
        return found

    motsim.running.runner.execute = strict


def write_in_place(note):
    """Tables are written where they are."""
    from motsim.results.files import TableFile

    def begin(self):
        self.part = self.path
        self._stream = self.path.open("wb", buffering=0)
        if self._columns:
            self._lines([self._columns])

    TableFile.open = begin
    TableFile.replace = TableFile.discard = lambda self: None


OFF = {
    function.__name__: function
    for function in (
        commit_later, no_death_signal, no_look_at_the_parent, no_claims, claims_for_ever,
        claims_by_clock, places_by_host, no_signs, no_farewell, no_looks,
        no_locks,
        no_limit_of_tries, no_signal_handler, give_up, write_in_place,
    )
}  # fmt: skip


def set_clock(shift):
    """Let this process believe that it is another time."""
    import time

    now, now_ns = time.time, time.time_ns
    time.time = lambda: now() + shift
    time.time_ns = lambda: now_ns() + int(shift * 1e9)


if __name__ == "__main__":
    if "MOTSIM_FAULT_CLOCK" in os.environ:
        set_clock(float(os.environ["MOTSIM_FAULT_CLOCK"]))
    install()
    from motsim.sweep import main

    raise SystemExit(main(sys.argv[1:]))
