"""Settings of one run of rehearsal in linear models, and the problem they stand for."""

import hashlib
import json
from dataclasses import replace
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, Strict, model_validator

from motsim.experiments.base import KindSettings
from motsim.randomness import generator
from motsim.rehearsal import (
    Rehearsal,
    TaskGeometry,
    equicorrelated_tasks,
    find_crossover,
    geometry_from_gram,
    optimal_schedule,
)
from motsim.rehearsal.drawn import draw_clusters, draw_setting

__all__ = ["QUANTITIES", "Settings", "cosine", "crossover", "problem", "stream", "unrelated"]

QUANTITIES = ("forgetting", "generalization")
Counts = int | Annotated[tuple[int, ...], Strict(False)]
TableName = Literal["errors", "memory_phases", "ratio_phases", "schedule"]


class Settings(KindSettings):
    """Complete settings of one run."""

    seed: int = Field(0, ge=0)
    # tasks
    family: Literal["equicorrelated", "clustered", "drifting", "drawn", "drawn_clusters"] = Field(
        "equicorrelated",
        description="drifting: cosine similarity^|i-j|; drawn: all but num_tasks, strategy from"
        " the seed; drawn_clusters: kinds of the tasks, their cosines, and threshold",
    )
    num_tasks: int = Field(2, ge=1, description="clustered: the number of labels in clusters")
    dim: int = Field(100, ge=1)
    similarity: float = Field(0.0, description="common cosine; drifting: of neighbors")
    similarity_from: Literal["zero", "forgetting", "generalization"] = Field(
        "zero", description="else: similarity counts from this quantity's predicted crossover"
    )
    clusters: Annotated[tuple[int, ...], Strict(False)] = ()
    within: float = 0.98
    between: float = 0.0
    norm: float = 1.0
    # samples
    samples_per_task: Counts = 30
    memory_size: Counts = 24
    noise_std: float = Field(0.1, ge=0)
    # rehearsal
    strategy: Literal[
        "concurrent", "sequential", "hybrid", "least_generalization", "least_forgetting", "random"
    ] = Field("sequential", description="least_: the schedule planned for that error")
    threshold: float = Field(0.5, description="hybrid only: least cosine that counts as similar")
    order: Literal["oldest", "newest"] = "oldest"
    memory: Literal["fresh", "replayed"] = "fresh"
    # simulation
    repetitions: int = Field(1000, ge=0, description="0: the closed form alone")
    method: Literal["auto", "full", "reduced"] = "auto"
    # tables
    tables: Annotated[tuple[TableName, ...], Strict(False)] = ()
    line: Literal["", "similarity", "memory_size", "noise_std", "dim", "num_tasks", "threshold"] = (
        Field("", description="table of the closed form along this setting")
    )
    line_from: float = 0.0
    line_to: float = 1.0
    line_points: int = Field(61, ge=2)
    line_log: bool = False

    @model_validator(mode="before")
    @classmethod
    def _count_clusters(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("clusters"):
            return {"num_tasks": len(values["clusters"]), **values}
        return values

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.family == "clustered") != bool(self.clusters):
            raise ValueError("clusters and family 'clustered' go together")
        if self.clusters and len(self.clusters) != self.num_tasks:
            raise ValueError(
                f"num_tasks must be the number of clusters' labels, {len(self.clusters)}; got"
                f" {self.num_tasks}"
            )
        if self.repetitions == 1:
            raise ValueError("repetitions must be 0 or >= 2; got 1")
        if self.strategy == "random" and self.family != "drawn":
            raise ValueError("strategy 'random' needs family 'drawn'")
        if self.family == "drawn" and self.memory == "replayed":
            raise ValueError("family 'drawn' needs memory 'fresh'; got 'replayed'")
        if self.family == "drawn" and self.planned:
            raise ValueError(f"strategy {self.strategy!r} needs a family other than 'drawn'")
        if self.memory == "replayed" and self.method == "reduced":
            raise ValueError("method 'reduced' needs memory 'fresh'; got 'replayed'")
        if self.line_log and min(self.line_from, self.line_to) <= 0:
            raise ValueError("line_log needs line_from and line_to > 0")
        if self.similarity_from != "zero" and self.family != "equicorrelated":
            raise ValueError("similarity_from needs family 'equicorrelated'")
        if not self.planned:  # a plan may take seconds: it is made, and checked, in the run
            problem(self)
        return self

    @property
    def planned(self) -> str:
        """Error that the schedule is planned for; empty for a named strategy."""
        return self.strategy[6:] if self.strategy.startswith("least_") else ""


def problem(settings: Settings) -> Rehearsal:
    """Return the problem of a run; ValueError, naming the rule, if there is none."""
    s = settings
    if s.family == "drawn":
        return draw_setting(generator(stream(s), "signals"), s.num_tasks, s.strategy)
    if s.planned:
        sequential = Rehearsal(
            _tasks(s)[0], s.samples_per_task, s.memory_size, s.noise_std, memory=s.memory
        )
        fresh = replace(sequential, memory="fresh")
        return sequential.using(optimal_schedule(fresh, objective=s.planned).schedule)
    tasks, threshold = _tasks(s)
    options: dict[str, Any] = {"memory": s.memory}
    if s.strategy in ("sequential", "hybrid"):
        options["order"] = s.order
    if s.strategy == "hybrid":
        options["threshold"] = threshold
    return Rehearsal(tasks, s.samples_per_task, s.memory_size, s.noise_std, s.strategy, **options)


def cosine(s: Settings) -> float:
    """Return the common cosine of the tasks, where there is one; else NaN."""
    if s.family != "equicorrelated":
        return float("nan")
    found = float(s.similarity)
    if s.similarity_from != "zero":
        root = crossover(s, s.similarity_from)
        if np.isnan(root):
            raise ValueError(
                f"similarity_from = {s.similarity_from!r}: these settings have no crossover"
            )
        found += root
    return found


def _tasks(s: Settings) -> tuple[TaskGeometry, float]:
    """Geometry of the tasks, and the threshold that tells similar ones from others."""
    if s.family == "drawn_clusters":  # the same sets for every strategy
        return draw_clusters(generator(s.seed, "signals"), s.num_tasks, s.dim, s.norm)
    if s.family == "clustered":
        labels = np.array(s.clusters)
        gram = np.where(labels[:, None] == labels, s.within, s.between)
        np.fill_diagonal(gram, 1.0)
    elif s.family == "drifting":
        task = np.arange(s.num_tasks)
        gram = float(s.similarity) ** np.abs(task[:, None] - task)
    else:
        common = cosine(s)
        equicorrelated_tasks(s.num_tasks, s.num_tasks, common, s.norm)  # checks the cosine
        gram = (1 - common) * np.eye(s.num_tasks) + common
    return geometry_from_gram(s.norm**2 * gram, s.dim), s.threshold


def unrelated(s: Settings) -> Rehearsal:
    """Return the problem of these counts and this noise with orthogonal tasks of equal norm."""
    tasks = geometry_from_gram(s.norm**2 * np.eye(s.num_tasks), s.num_tasks)
    return Rehearsal(
        replace(tasks, dimension=s.dim), s.samples_per_task, s.memory_size, s.noise_std,
        order=s.order,
    )  # fmt: skip


def crossover(s: Settings, quantity: str) -> float:
    """Predicted cosine at which sequential overtakes concurrent; NaN if there is none."""
    return find_crossover(unrelated(s), quantity=quantity).cosine


def stream(settings: Settings) -> int:
    """Seed of the run's random numbers: all settings that matter, so that runs are independent.

    Standard errors of two runs then add in squares, also where both have the same `seed`.
    Repetitions and tables do not enter: more repetitions continue the same stream.
    """
    free = {"repetitions", "tables", "line", "line_from", "line_to", "line_points", "line_log"}
    text = json.dumps(settings.model_dump(exclude=free), sort_keys=True)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
