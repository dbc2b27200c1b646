"""What a sample must have before any law can be judged, and what would help."""

from __future__ import annotations

from motsim.rates.advice import run_on
from motsim.rates.curves import MIN_POINTS
from motsim.rates.judgement import MIN_CURVES, lower_quartile
from motsim.rates.sample import Sample

__all__ = ["MAX_LOST", "MIN_DECADES", "closed_gate"]

MIN_DECADES, MAX_LOST = 3.0, 0.25


def closed_gate(sample: Sample, decades: float) -> tuple[str, str] | None:
    """Return why the sample cannot be judged at all, and what would help; None if it can.

    Everything that is missing is named, not only the first.
    """
    points = lower_quartile([float(s) for s in sample.distinct_steps])
    usable = sample.usable
    lost, number = sample.num_diverged, len(sample.curves)
    few, unfit = MIN_CURVES - number, MIN_CURVES - len(usable)
    leaps = lower_quartile([-c.points_per_decade for c in usable]) > -0.99 if usable else False
    gates: list[tuple[bool, str, str]] = [
        (
            lost > MAX_LOST * (number + lost),
            f"{lost} runs diverged",
            "find out why they diverge; a law of the runs that did not is a law of a selection",
        ),
        (
            few > 0,
            f"{number} distinct run{'s' * (number != 1)}, {MIN_CURVES} usable curves are needed",
            f"{few} more run{'s' * (few > 1)} with other seeds",
        ),
        (
            number > 0 and (points < MIN_POINTS or leaps),
            f"fewer than {MIN_POINTS} distinct steps a curve ({points:g})"
            if points < MIN_POINTS
            else "fewer than one distinct step a decade: each step passes over a decade of eps",
            "log the loss more often, or state a wider range of eps; a method this fast has no"
            " steps to count",
        ),
        (
            few <= 0 and unfit > 0 and points >= MIN_POINTS,
            f"{len(usable)} usable curves, {MIN_CURVES} are needed",
            f"{unfit} more curves with six distinct steps each",
        ),
        (
            sample.share_missing > MAX_LOST,
            f"{sample.num_missing} rows are missing",
            "restore the missing rows, or run their seeds again",
        ),
        (
            sample.lacks_budget,
            "entries are censored and no budget was given",
            "say to which step the runs went (budget)",
        ),
    ]
    closed = [(text, advice) for shut, text, advice in gates if shut]
    if decades < MIN_DECADES - 1e-9 and (not closed or usable):
        short = f"the curves cover {decades:.2f} decades of eps, {MIN_DECADES:g} are needed"
        closed.append((short, run_on(usable, MIN_DECADES, sample.end)))
    if not closed:
        return None
    return "; ".join(text for text, _ in closed), "; ".join(advice for _, advice in closed)
