"""Verdicts instead of runs."""

import pytest

import motsim.verify
from motsim.running.judging import Judged
from tests.running.fresh_blocks import finding


@pytest.fixture
def judged(monkeypatch):
    """judged(name=[verdicts of block 1, of block 2, ...]): instead of runs; returns the starts."""

    def replace(failed=0, **verdicts):
        seen = []

        def made(sweeps, arguments, session, tables):
            seen.append(sweeps[0].seed_start)
            assert tables.is_dir()
            assert tables != arguments.out
            now = {s.name: verdicts[s.name.replace("-", "_")][len(seen) - 1] for s in sweeps}
            return {
                name: Judged((finding("x", verdict, "holds"),), failed)
                for name, verdict in now.items()
            }

        monkeypatch.setattr(motsim.verify, "_judged", made)
        return seen

    return replace


@pytest.fixture
def probe(kinds, tmp_path):
    """probe(text) writes a sweep of test-only runs; each that begins adds a line to `log`."""

    def write(text, name="probe"):
        path = tmp_path / f"{name}.toml"
        log = tmp_path / "log"
        path.write_text(
            f"title = 'Probe'\nkind = 'probe'\nseeds = 4\n{text}\n"
            f"[tier.quick.fixed]\nlog = '{log}'\n"
        )
        return str(path)

    return write
