"""Several files at once: each a run of its own, unless a column names runs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from motsim.rates.reading.curves import Curves
from motsim.rates.reading.refusal import ReadingError, short

__all__ = ["file_labels", "join"]

MOST_OWN = 3
"""Files whose own notes are shown."""


def file_labels(paths: Sequence[Path]) -> list[str]:
    """Return a short name for each file: its stem, with as much of its folders as is needed.

    >>> file_labels([Path("a/v0/metrics.csv"), Path("a/v1/metrics.csv")])
    ['v0/metrics', 'v1/metrics']
    """
    for i, path in enumerate(paths):
        if path in paths[:i]:
            raise ReadingError(f"{path}: given twice")
    stems = [path.name.removesuffix(".gz") for path in paths]
    stems = [stem.rsplit(".", 1)[0] if "." in stem[1:] else stem for stem in stems]
    parts = [[*path.parts[:-1], stem] for path, stem in zip(paths, stems, strict=True)]
    for depth in range(1, max(map(len, parts)) + 1):
        labels = ["/".join(part[-depth:]) for part in parts]
        if len(set(labels)) == len(labels):
            return labels
    return [str(path) for path in paths]


def join(
    labels: Sequence[str], read: Sequence[Curves], run_by_file: bool, group_by_file: bool
) -> Curves:
    """Return the curves of several files as one.

    Parameters
    ----------
    labels : sequence of str
        A name for each file.
    read : sequence of Curves
        What each holds.
    run_by_file, group_by_file : bool
        The name is part of each run's, of each group's.
    """
    import pandas as pd

    first = read[0]
    for label, curves in zip(labels, read, strict=True):
        for mine, other, option in (
            (first.loss_column, curves.loss_column, "loss"),
            (first.step_column, curves.step_column, "step"),
        ):
            if mine != other:
                raise ReadingError(
                    f"{label}: {option} column {other!r}, but {mine!r} in {labels[0]}; name one"
                    f" that both have with --{option}"
                )
    named = any(curves.run_columns for curves in read)
    run_by_file |= not named and not group_by_file
    texts: dict[str, dict[str, int]] = {"run": {}, "group": {}}
    codes: dict[str, list[np.ndarray]] = {"run": [], "group": []}
    seen: dict[tuple[int, int], str] = {}
    for label, curves in zip(labels, read, strict=True):
        runs = list(curves.frame["run"].cat.categories)
        groups = list(curves.frame["group"].cat.categories)
        if run_by_file:
            runs = [label if not curves.run_columns else f"{label}, {run}" for run in runs]
        if group_by_file:
            groups = [", ".join(t for t in (f"file={label}", group) if t) for group in groups]
        own = []
        for name, values in (("run", runs), ("group", groups)):
            known = texts[name]
            new = [known.setdefault(text, len(known)) for text in values]
            own.append(np.array(new)[curves.frame[name].cat.codes.to_numpy()])
            codes[name].append(own[-1])
        for run, group in sorted(set(zip(own[0].tolist(), own[1].tolist(), strict=True))):
            if (run, group) in seen:
                which = ", ".join(t for t in (list(texts["group"])[group],) if t)
                which = f"run {list(texts['run'])[run]}" + (f" of {which}" if which else "")
                raise ReadingError(
                    f"{short(which, 80)} is in {seen[run, group]} and in {label}: --by file if"
                    f" files are methods, --run {' '.join(['file', *curves.run_columns])} if all"
                    " are seeds"
                )
            seen[run, group] = label
    columns = {
        name: pd.Categorical.from_codes(
            np.concatenate(codes[name]), categories=pd.Index(list(texts[name]), dtype=object)
        )
        for name in ("run", "group")
    }
    numbers = ("step", "loss", "logged", "row")
    rest = {
        name: np.concatenate([curves.frame[name].to_numpy() for curves in read]) for name in numbers
    }
    kinds = {curves.kind for curves in read}
    return Curves(
        pd.DataFrame({**columns, **rest}),
        first.loss_column,
        first.step_column,
        (*(("file",) if run_by_file else ()), *first.run_columns),
        _notes(labels, read, run_by_file),
        first.kind if len(kinds) == 1 else "csv",
    )


def _notes(labels: Sequence[str], read: Sequence[Curves], run_by_file: bool) -> tuple[str, ...]:
    """Return notes that all files share once, and the others with the file's name."""
    shared = [note for note in read[0].notes if all(note in curves.notes for curves in read)]
    notes = [f"{len(read):,} files{', each a run of its own' if run_by_file else ''}."]
    notes += [note for note in shared if not note.startswith("No column names runs")]
    odd = 0
    for label, curves in zip(labels, read, strict=True):
        own = [note for note in curves.notes if note not in shared]
        odd += bool(own)
        if odd <= MOST_OWN:
            notes += [f"File {label}: {note}" for note in own]
    if odd > MOST_OWN:
        notes.append(f"Notes on {odd - MOST_OWN:,} other files are alike and left out.")
    return tuple(notes)
