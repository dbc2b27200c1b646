"""One claim on a fresh block of seeds, chosen by the commit: a standing check."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from motsim.claims import _recorded
from motsim.plans.loading import load_sweep
from motsim.running.reproduction import (
    STRIDE,
    chosen_start,
)
from motsim.vectors.compiling import PACKAGE
from motsim.verify import main
from tests.running.fresh_blocks import CHEAP, call


def commit_or_source():
    """What chooses the block: the commit; without git, the sources."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "--verify", "HEAD"],
            cwd=PACKAGE, capture_output=True, text=True, timeout=10,
        )  # fmt: skip
        if found.returncode == 0:
            return found.stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        pass
    return "".join(path.read_text("utf-8") for path in sorted(Path(PACKAGE).rglob("*.py")))


def standing_check(names, start, folder, capsys):
    """One fresh block; a second one for claims with an opposite verdict: (lines, whether it fails).

    The first block is in the store by then: only the second is run.
    """
    rest = ["--seed-start", str(start), "--jobs", "1", "--json"]
    code, text = call(*names, "--blocks", "1", *rest, out=folder, capsys=capsys)
    assert code == 0, "a run failed"  # one block alone has no second opposite
    found = json.loads(text)
    rows = [(claim, row) for claim, rows in found["claims"].items() for row in rows]
    lines = [f"seeds from {start}: {found['totals']['came_out']} of {len(rows)} came out"]
    lines += [
        f"{claim}, {row['case']}: recorded as {row['recorded']}, came out as {row['verdicts'][0]}"
        for claim, row in rows
        if not row["came_out"]
    ]
    suspects = sorted({claim for claim, row in rows if row["opposite"]})
    if suspects:
        code, _ = call(*suspects, "--blocks", "2", *rest, out=folder, capsys=capsys)
        again = "repeats an opposite verdict" if code else "repeats none of the opposite verdicts"
        lines.append(f"a second block, seeds from {start + STRIDE}, {again}")
    return lines, code != 0


def test_standing_check_recorded_verdicts_on_one_fresh_block(tmp_path, capsys, record_property):
    start = chosen_start(commit_or_source())
    name = CHEAP[start // STRIDE % len(CHEAP)]
    lines, turned = standing_check([name], start, tmp_path, capsys)
    for line in lines:
        record_property("fresh", line)
    assert not turned, "\n".join(lines)


@pytest.mark.parametrize(
    ("verdicts", "blocks", "turned"),
    [
        ([["holds"]], 1, False),
        ([["inconclusive"]], 1, False),
        ([["fails"], ["fails", "holds"]], 3, False),
        ([["fails"], ["fails", "inconclusive"]], 3, False),
        ([["fails"], ["fails", "fails"]], 3, True),
    ],
)
def test_controls_of_the_standing_check(judged, verdicts, blocks, turned, tmp_path, capsys):
    flat = [verdict for call in verdicts for verdict in call]
    starts = judged(routing=flat)
    lines, found = standing_check(["routing"], 7000, tmp_path, capsys)
    assert found is turned
    assert starts == [7000, 7000, 8000][:blocks]
    assert ("came out as" in "".join(lines)) is (flat[0] != "holds")


def test_control_a_wrong_record_fails_the_standing_check(tmp_path, capsys, monkeypatch):
    """Runs for real: the record of a claim is turned, and a second block repeats it.

    Then with the right record: every run is found in the store, and no table was left there.
    """
    turned = tuple(replace(row, verdict=row.verdict.opposite) for row in _recorded.rows())
    monkeypatch.setattr(_recorded, "rows", lambda: turned)
    lines, failed = standing_check(["simple-data"], 3000, tmp_path, capsys)
    assert failed
    assert "a second block, seeds from 4000, repeats an opposite verdict" in lines
    there = {path.name for path in tmp_path.iterdir()} - {".motsim-alive"}  # a lock, kept
    assert {name.partition(".db")[0] for name in there} == {"results"}
    monkeypatch.undo()
    words = ["simple-data", "--blocks", "2", "--seed-start", "3000", "--jobs", "1"]
    assert main([*words, "--out", str(tmp_path), "--progress", "plain"]) == 0
    errors = capsys.readouterr().err
    runs = len({cell.key for cell in load_sweep("simple-data").cells()})
    assert errors.count(f"{runs} runs, {runs} finished before") == 2
    assert "block 2 of 2: seeds from 4000" in errors
