"""What the page says about one claim or one sweep: gathered from its tables, nothing simulated."""

import json
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from motsim.claims import Claim, ClaimModule, Finding, claim_module, claim_names
from motsim.claims._assumptions import assumptions
from motsim.claims._recorded import judged
from motsim.claims._reproduced import told
from motsim.claims._sentence import sentence
from motsim.claims._stored import claim_of_tables
from motsim.claims._words import words_of
from motsim.plans.changes import Changes, sweep_words
from motsim.plans.loading import load_sweep
from motsim.plans.plan import SweepError
from motsim.report.provenance import (
    case_commands,
    commands_of,
    source_of,
    sweep_file,
    versions_of,
    written,
)
from motsim.results.store import FAILED
from motsim.results.tables import Tables, TablesError, load_tables, table_path
from motsim.statistics.interval import Verdict
from motsim.sweep import HEADLINE

__all__ = ["Picture", "Section", "collect", "valid_names"]

PREVIEW = (8, 12)  # rows and columns shown of a table without a claim
SHOWN_FAILURES = 10


@dataclass(frozen=True)
class Picture:
    """A figure as inline SVG, with its caption."""

    name: str
    svg: str
    caption: str


@dataclass(frozen=True)
class Section:
    """One section of the page.

    Attributes
    ----------
    name, title : str
    claim : Claim, optional
        None for a user's own sweep.
    findings : tuple of Finding
    outcome, assumptions : str
        What came out in a sentence, and what was assumed.
    again : tuple of str
        The command for the runs behind each finding.
    pictures : tuple of Picture
    problems : tuple of str
        What is wrong with the tables, a line each; empty where all is well.
    missing : bool
        There is no table; `problems` names the command that makes it.
    facts : dict of str to str
        Tier, runs and their status, seeds, versions, whether the sweep file still gives these runs.
    failures : tuple of (run, error)
    commands : tuple of str
        To reproduce the section.
    settings : str
        The sweep file, empty where it is not known.
    shared : tuple of (setting, value)
        Settings that all runs have in common, as far as the tables tell.
    files : tuple of (name, link)
        The tables.
    preview : (header, rows)
        First rows of the table of a user's own sweep.
    """

    name: str
    title: str
    claim: Claim | None = None
    findings: tuple[Finding, ...] = ()
    outcome: str = ""
    assumptions: str = ""
    again: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    problems: tuple[str, ...] = ()
    missing: bool = False
    facts: dict[str, str] = field(default_factory=dict)
    failures: tuple[tuple[str, str], ...] = ()
    num_failed: int = 0
    commands: tuple[str, ...] = ()
    settings: str = ""
    shared: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    preview: tuple[Sequence[str], Sequence[Sequence[str]]] = ((), ())

    @cached_property
    def counts(self) -> dict[str, int]:
        """Number of findings of each verdict."""
        return {
            verdict: sum(finding.verdict == verdict for finding in self.findings)
            for verdict in Verdict
        }

    @property
    def changed(self) -> int:
        """Number of findings that are not as recorded."""
        return sum(not finding.as_expected for finding in self.findings)

    @property
    def fresh(self) -> str:
        """How often recorded verdicts came out on fresh seeds; empty where it was not measured."""
        return told(finding.reproduced for finding in self.findings)

    @property
    def alarm(self) -> bool:
        """Whether something needs a look: a verdict not as recorded, a failed run, a bad table."""
        return bool(self.changed or self.num_failed or (self.problems and not self.missing))


def valid_names(stored: Sequence[str]) -> list[str]:
    """Every name a report can have: the headline, the other claims, then users' own tables."""
    claims = sorted(claim_names(), key=lambda name: name != HEADLINE)
    return [*claims, *(name for name in stored if name not in claims)]


def collect(name: str, folder: Path, page_folder: Path) -> Section:
    """Load, judge and draw one name; whatever is wrong becomes a line of the section.

    Parameters
    ----------
    name : str
    folder : Path
        Results folder.
    page_folder : Path
        Where the page will be, for links to the tables.
    """
    claim = claim_module(name).CLAIM if name in claim_names() else None
    section = Section(name, _title(name), claim, commands=commands_of(name, "quick", claim))
    if not (folder / f"{name}.json").is_file():
        again = f"python -m motsim.sweep {sweep_words(name)} --out {shlex.quote(str(folder))}"
        return replace(section, missing=True, problems=(f"No table yet. Make it with: {again}",))
    try:
        tables = load_tables(name, folder)
        section = _described(section, tables, folder, page_folder)
    except (TablesError, KeyError, TypeError, ValueError) as error:
        return replace(section, problems=(_line(error),))
    judge = claim_module(name) if claim else _declared(name, tables.meta, folder)
    if judge is None:
        return replace(section, preview=_preview(tables))
    if claim is None:  # of the user's own sweep file
        verify = section.commands[0].replace("motsim.sweep", "motsim.verify")
        section = replace(section, claim=judge.CLAIM, commands=(*section.commands, verify))
    problems = list(section.problems)
    try:
        section = _judged(section, tables, judge, folder)
    except TablesError as error:
        problems.append(_line(error))
    try:
        section = replace(section, pictures=_pictures(name, tables))
    except TablesError as error:
        problems.append(_line(error))
    return replace(section, problems=tuple(problems))


def _judged(section: Section, tables: Tables, judge: ClaimModule, folder: Path) -> Section:
    """Add the findings, the sentence that they make, and the command for each."""
    name, meta = tables.name, tables.meta
    findings = judged(name, tables, judge)
    cases = map(str, tables.main["case"].unique()) if "case" in tables.main else ()
    source = source_of(name, meta, folder, None) if meta.get("file") else ""
    return replace(
        section,
        findings=findings,
        outcome=sentence(findings, words_of(judge)),
        assumptions=assumptions(getattr(judge, "__doc__", "")),
        again=case_commands(
            name, str(meta.get("tier", "quick")), cases, (f.case for f in findings), source, meta
        ),
    )


def _declared(name: str, meta: dict[str, Any], folder: Path) -> ClaimModule | None:
    """Return the claim in a user's own sweep file, if the tables are the file's own."""
    changes = Changes.described(name, meta)
    return None if changes.sets or changes.cases else claim_of_tables(name, meta, folder)


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, TablesError) else f"{type(error).__name__}: {text}"


def _title(name: str) -> str:
    try:
        return load_sweep(name, trusted=False).title
    except SweepError:
        return ""


def _described(section: Section, tables: Tables, folder: Path, page_folder: Path) -> Section:
    """Add what the tables say of themselves."""
    name, meta = tables.name, tables.meta
    tier = str(meta.get("tier", "quick"))
    problems = []
    main = tables.main
    runs = tables.runs if {"run", "status"} <= set(main) else main.assign(run="", status="?")[:0]
    runs = runs.drop_duplicates("run")
    counts = runs["status"].value_counts().sort_index()
    planned = int(meta.get("planned", len(runs)))
    facts = {"written": written(folder / f"{name}.json")}
    facts |= {"tier": tier, "runs": f"{len(runs):,} of {planned:,} planned"}
    if len(counts):
        facts["runs"] += f" ({', '.join(f'{n:,} {status}' for status, n in counts.items())})"
    if "seed" in main:
        facts["seeds"] = f"{main['seed'].nunique():,} in a setting at most"
    if len(runs) < planned:
        problems.append(
            f"{planned - len(runs):,} of {planned:,} planned runs are not there yet; the same sweep"
            " command goes on with them"
        )
    source = source_of(name, meta, folder, section.claim)
    commands = commands_of(name, tier, section.claim, source, meta)
    failed = runs[runs["status"].isin(FAILED)]
    if len(failed):
        problems.append(
            f"{len(failed):,} of {len(runs):,} runs failed; try them again with: {commands[0]}"
            " --retry-failed"
        )
    errors = failed["error"] if "error" in failed else failed["status"]
    shown = list(zip(failed["run"].astype(str), errors.astype(str), strict=True))
    facts["kind of run"] = str(meta.get("kind", "not recorded"))
    facts["versions"] = versions_of(meta.get("versions"))
    settings = ""
    if source:
        facts["settings"], settings = sweep_file(
            source, tier, set(runs["run"]), Changes.described(name, meta)
        )
    shared = meta.get("settings")
    tables_there = [table_path(folder, name, t, meta).name for t in ("", *tables.others)]
    start = os.path.relpath(folder, page_folder)
    return replace(
        section,
        title=str(meta.get("title", section.title)),
        problems=tuple(problems),
        facts=facts,
        failures=tuple(shown[:SHOWN_FAILURES]),
        num_failed=len(failed),
        commands=commands,
        settings=settings,
        shared=tuple((k, json.dumps(v)) for k, v in shared.items() if v is not None)
        if isinstance(shared, dict)
        else (),
        files=tuple((file, quote(Path(start, file).as_posix())) for file in tables_there),
    )


def _pictures(name: str, tables: Tables) -> tuple[Picture, ...]:
    from motsim.figures import drawn, figure_module, figure_names
    from motsim.figures.inline import inline_svg

    if name not in figure_names():
        return ()
    module = figure_module(name)
    caption = " ".join((module.__doc__ or name).split("\n\n")[0].split())
    with drawn(name, tables) as figures:
        return tuple(
            Picture(title, inline_svg(figure, title, f"Figure {title}. {caption}"), caption)
            for title, figure in figures.items()
        )


def _preview(tables: Tables) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    rows, columns = PREVIEW
    part = tables.main.iloc[:rows, :columns]
    cells = [[f"{v:.6g}" if isinstance(v, float) else str(v) for v in row] for row in
             part.itertuples(index=False, name=None)]  # fmt: skip
    return [str(column) for column in part], cells
