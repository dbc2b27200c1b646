"""Optional measurements along a mixture run, taken on snapshots of the parameters."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from motsim.mixture.diagnostics import (
    dispatch,
    dispatch_entropy,
    expert_alignment,
    expert_classes,
    routing_accuracy,
)
from motsim.mixture.evaluation import Evaluation, evaluator
from motsim.mixture.landscape import (
    class_gradients,
    expert_hessian,
    gradient_cosines,
    gradient_dominance,
)
from motsim.mixture.model import Loss, Model, ModelParameters, Routing
from motsim.mixture.points import Points
from motsim.mixture.trace import StageBounds, Trace

__all__ = ["MEASURES", "Measure", "measure", "snapshot_steps"]

Measure = Literal["specialization", "routing", "course", "attention", "curvature", "conflict"]
MEASURES: tuple[Measure, ...] = (
    "specialization", "routing", "course", "attention", "curvature", "conflict",
)  # fmt: skip
#: M x N numbers a snapshot, and what goes along with them: at fewer steps.
MATRICES = {"specialization", "routing", "course"}
ROLES = ("class", "signal", "distractor", "noise")
Rows = list[dict[str, Any]]


def snapshot_steps(
    lengths: Sequence[int], wanted: Sequence[Measure], counts: Sequence[int] = ()
) -> list[int]:
    """Steps to look at: in each stage as many evenly as geometrically spaced, 6 or 12.

    Else `counts` of the stages in turn, the last of all further ones; 2 are the stage's ends.

    >>> snapshot_steps([100, 100], ["routing"], [3, 2])
    [0, 1, 10, 50, 100, 101, 200]
    """
    if not wanted:
        return []
    usual = [6 if set(wanted) <= MATRICES else 12]
    steps, start = {0}, 0
    for i_stage, length in enumerate(lengths):
        count = (list(counts) or usual)[min(i_stage, max(len(counts), 1) - 1)]
        even = np.linspace(0, length, count)
        geometric = np.geomspace(1, max(length, 1), count)
        steps |= {start + round(float(s)) for s in (*even, *geometric)}
        start += length
    return sorted(steps)


def measure(
    wanted: Sequence[Measure],
    model: Model,
    points: Points,
    trace: Trace,
    *,
    loss: Loss,
    routing: Routing,
) -> dict[str, dict[str, list[Any]]]:
    """Return one tidy table a wanted measure, with columns step, stage and loss in front."""
    rows: dict[str, Rows] = {name: [] for name in wanted}
    snapshots = {**trace.snapshots, trace.num_steps: trace.parameters}
    evaluate = evaluator(model, points, loss=loss)
    for step, parameters in sorted(snapshots.items()):
        if not parameters.is_finite():
            continue
        evaluation = evaluate(parameters)
        stage = _stage_at(trace.stages, step)
        front = {"step": step, "stage": stage, "loss": evaluation.loss}
        for name in wanted:
            found = _TAKE[name](model, parameters, points, evaluation, loss, routing)
            rows[name] += [{**front, **row} for row in found]
    return {
        name: {column: [row[column] for row in found] for column in found[0]}
        for name, found in rows.items()
        if found
    }


def _stage_at(stages: Sequence[StageBounds], step: int) -> str:
    reached = [stage.name for stage in stages if stage.start <= step]
    return reached[-1]


def _specialization(model: Model, parameters: ModelParameters, points: Points, *_: Any) -> Rows:
    alignment = expert_alignment(parameters, points.signals)
    return [
        {"expert": i, "class": n, "alignment": float(value)}
        for (i, n), value in np.ndenumerate(alignment)
    ]


def _routing(
    model: Model, parameters: ModelParameters, points: Points, evaluation: Evaluation, *_: Any
) -> Rows:
    return [
        {"expert": i, "class": n, "share": float(value)}
        for (i, n), value in np.ndenumerate(dispatch(evaluation, points))
    ]


def _course(
    model: Model, parameters: ModelParameters, points: Points, evaluation: Evaluation, *_: Any
) -> Rows:
    """P[m(X) in M_n] and the dispatch entropy: what both matrices say of routing."""
    classes = expert_classes(expert_alignment(parameters, points.signals))
    return [
        {
            "accuracy": routing_accuracy(evaluation, points, classes),
            "entropy": dispatch_entropy(dispatch(evaluation, points)),
        }
    ]


def _attention(
    model: Model, parameters: ModelParameters, points: Points, evaluation: Evaluation, *_: Any
) -> Rows:
    """Mean attention weight of the routed expert by the roles of query and key."""
    attention_probs = evaluation.attention
    if not len(attention_probs):
        return []
    length = attention_probs.shape[1]
    i_point = np.arange(len(points.labels))
    routed = evaluation.routed if len(attention_probs) > 1 else np.zeros(len(i_point), dtype=int)
    chosen = attention_probs[routed, :, :, i_point]  # (P, L key, L query)
    mean = np.einsum("p,pkl->kl", points.weights, chosen)
    role = [ROLES[min(token, 3)] for token in range(length)]
    totals: dict[tuple[str, str], list[float]] = {}
    for key in range(length):
        for query in range(length):
            totals.setdefault((role[query], role[key]), []).append(float(mean[key, query]))
    queries = {q: role.count(q) for q in role}
    return [
        {"query": q, "key": k, "weight": sum(values) / queries[q]}
        for (q, k), values in totals.items()
    ]


def _curvature(
    model: Model,
    parameters: ModelParameters,
    points: Points,
    evaluation: Evaluation,
    loss: Loss,
    routing: Routing,
) -> Rows:
    """Each class's most used expert: its Hessian along v_n and on the span of all v.

    `dominance` is |gradient|^2 / (2 loss) of the whole model, `ffn_dominance` by the FFN alone.
    """
    ffn, whole = gradient_dominance(model, parameters, points, loss=loss, routing=routing)
    shares = dispatch(evaluation, points)
    signals = points.signals.classification_signals
    basis = np.linalg.qr(signals.T)[0]
    rows: Rows = []
    for n in range(points.num_classes):
        i = int(shares[:, n].argmax())
        hessian = expert_hessian(model, parameters, points, evaluation, i, n)
        d = signals.shape[1]
        block = hessian[:d, :d]
        v = signals[n]
        rows.append(
            {
                "expert": i,
                "class": n,
                "along": float(v @ block @ v),
                "smallest": float(np.linalg.eigvalsh(basis.T @ block @ basis)[0]),
                "ffn_dominance": ffn,
                "dominance": whole,
            }
        )
    return rows


def _conflict(
    model: Model,
    parameters: ModelParameters,
    points: Points,
    evaluation: Evaluation,
    loss: Loss,
    routing: Routing,
) -> Rows:
    cosines = gradient_cosines(
        class_gradients(model, parameters, points, loss=loss, routing=routing)
    )
    negative = float(np.maximum(-cosines, 0.0).mean())
    return [{"cosine": float(cosines.mean()), "conflict": negative}]


_TAKE = {
    "specialization": _specialization,
    "routing": _routing,
    "course": _course,
    "attention": _attention,
    "curvature": _curvature,
    "conflict": _conflict,
}
