"""Rehearsal of a small convolutional network on real images: the three strategies, paired.

One run trains `replicates` networks a strategy (seeds seed · replicates + 0, 1, …). A worker
compiles its programs once, in a few seconds, for all runs of one data set and width. Table "hits"
has one row a strategy and network.
"""

from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, Strict, model_validator

from motsim.experiments.base import KindSettings
from motsim.experiments.result import Result
from motsim.extras import require
from motsim.mixture.status import Status
from motsim.rehearsal.deep import Rehearsed, Training, rehearse
from motsim.rehearsal.images import Shift, check_tasks, task_images
from motsim.rehearsal.schedules import STRATEGIES, memory_counts

__all__ = ["Settings", "compile_kernels", "cost", "run"]

#: Sources whose change makes stored runs of this kind stale.
MODULES = ("jax", "optax", "sklearn", "mlxtend")
COMPILATION = 1.0  # seconds, about: that of a worker, shared by its runs
SECONDS = 0.6e-9  # of one image, pixel and pair of filters, about; measured on one 2.6 GHz core
NAMES = tuple(Training.__dataclass_fields__)


class Settings(KindSettings):
    """Complete settings of one run."""

    seed: int = Field(0, ge=0)
    replicates: int = Field(6, ge=1, description="networks a strategy")
    # tasks
    data: Literal["digits", "mnist"] = "digits"
    shift: Shift = "rotation"
    level: float = Field(0.0, description="degrees, fraction or classes: rehearsal/images.py")
    domains: Annotated[tuple[int, ...], Strict(False)] = (0, 1, 2, 3)
    samples_per_class: int = 20
    test_per_class: int = 50
    task_classes: int = 10
    shuffle_labels: bool = Field(False, description="negative control: labels without meaning")
    # network and training
    width: int = Field(16, ge=1, le=256)
    own_heads: bool = False
    epochs: float = Field(20.0, gt=0)
    batch_size: int = Field(16, ge=1)
    rate: float = Field(0.05, gt=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    # rehearsal
    memory_size: int = Field(100, ge=0)
    threshold: float = Field(0.35, ge=-1)
    reference: Literal["start", "current"] = "start"
    revisit_share: float = Field(1.0, gt=0, le=1)
    revisit_pace: float = Field(1.0, gt=0, le=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_tasks(
            self.data, self.shift, self.level, self.domains, self.samples_per_class,
            self.test_per_class, self.task_classes,
        )  # fmt: skip
        kept = max(max(counts, default=0) for counts in memory_counts(self.tasks, self.memory_size))
        if kept > self.samples:
            raise ValueError(
                f"memory_size = {self.memory_size} keeps {kept} images of one task, which has"
                f" samples_per_class * task_classes = {self.samples}"
            )
        return self

    @property
    def tasks(self) -> int:
        """Number of tasks."""
        return len(self.domains)

    @property
    def samples(self) -> int:
        """Training images of a task."""
        return self.samples_per_class * self.task_classes


def compile_kernels() -> None:
    """Check that the extra is there; every worker compiles its own programs in a few seconds."""
    require("deep", MODULES)


def cost(settings: Settings) -> float:
    """Return about how many seconds a run takes on one core, its share of compilation included."""
    s = settings
    pixels = 64 if s.data == "digits" else 196
    images = s.epochs * (s.tasks * s.samples + (s.tasks - 1) * s.memory_size)
    return COMPILATION + SECONDS * len(STRATEGIES) * s.replicates * images * pixels * s.width**2


def run(settings: Settings) -> Result:
    """Train all networks and measure; the only thing that a worker executes."""
    s = settings
    require("deep", MODULES)
    seeds = [s.seed * s.replicates + r for r in range(s.replicates)]
    tasks = [
        task_images(
            s.data, s.shift, s.level, s.domains,
            samples_per_class=s.samples_per_class, test_per_class=s.test_per_class,
            task_classes=s.task_classes, shuffle_labels=s.shuffle_labels, seed=seed,
        )
        for seed in seeds
    ]  # fmt: skip
    found = rehearse(tasks, Training(**{name: getattr(s, name) for name in NAMES}), seeds)
    earlier = np.tril(np.ones((s.tasks, s.tasks), bool), -1)
    metrics = {
        "num_tasks": s.tasks,
        "steps": int(found.steps.sum()),
        "cosine": float(found.cosine[:, earlier].mean()),
        "joined": float(found.joined[:, earlier].mean()),
    }
    tables = {
        "hits": _scores(found, seeds),
        "accuracy": _accuracies(found, seeds),
        "similarity": _similarities(found, seeds),
    }
    healthy = bool(np.isfinite(found.memory_loss).all())
    return Result(Status.DONE if healthy else Status.DIVERGED, metrics, tables)


def _scores(found: Rehearsed, seeds: list[int]) -> dict[str, list[Any]]:
    """One row a strategy and network; all accuracies are shares of test images."""
    learned = np.diagonal(found.accuracy, axis1=2, axis2=3)
    final = found.accuracy[:, :, -1]
    forgetting = (learned - final)[..., :-1].mean(axis=-1)
    return {
        "strategy": [name for name in STRATEGIES for _ in seeds],
        "network": [seed for _ in STRATEGIES for seed in seeds],
        "final_accuracy": final.mean(axis=-1).ravel().tolist(),
        "forgetting": forgetting.ravel().tolist(),
        "learned_accuracy": learned.mean(axis=-1).ravel().tolist(),
        "before_revisits": found.before_revisits.mean(axis=-1).ravel().tolist(),
        "memory_loss": [
            float(x) if np.isfinite(x) else None for x in found.memory_loss.mean(axis=-1).ravel()
        ],
    }


def _accuracies(found: Rehearsed, seeds: list[int]) -> dict[str, list[Any]]:
    """Accuracy on task i after task t, one row a strategy, network, t and i."""
    index = np.indices(found.accuracy.shape).reshape(4, -1)
    return {
        "strategy": [STRATEGIES[s] for s in index[0]],
        "network": [seeds[r] for r in index[1]],
        "after_task": index[2].tolist(),
        "task": index[3].tolist(),
        "accuracy": found.accuracy.ravel().tolist(),
    }


def _similarities(found: Rehearsed, seeds: list[int]) -> dict[str, list[Any]]:
    """Measured similarity of every earlier task to the new one, one row a network and pair."""
    pairs = np.argwhere(np.isfinite(found.cosine))
    return {
        "network": [seeds[r] for r in pairs[:, 0]],
        "new_task": pairs[:, 1].tolist(),
        "task": pairs[:, 2].tolist(),
        "cosine": found.cosine[tuple(pairs.T)].tolist(),
        "joined": found.joined[tuple(pairs.T)].tolist(),
    }
