"""Experts without attention keep an error floor under noise tokens; attention lowers it.

Assumptions: squared loss, N = 2, d = 8, noise of variance sigma^2/d in each of the L - 3 noise
tokens, projected off the class signals (with isotropic noise linear experts do not specialize).
Noise draws come in antithetic pairs; the closed form is met on the draws that were fitted, the gain
of attention is judged on as many fresh draws, which no training step has seen.
Statement (derived): a linear expert without attention sees S = sum_l x_l only, so on its own class
its loss is at least F = (1 - b'C^-1 b)/2 with b = E[y S] = v_n and C = E[S S'], that is
``F = tau / (2 (1 + tau))``, ``tau = sigma^2 (L - 3) / d`` (alpha = 1). With K independent noise
draws a class and q = d - 2N directions of pure noise, least squares fits the draws too and tau
shrinks by 1 - q/K. Attention can weigh tokens, which no expert on S can: floor(mot) < floor(moe).
Kind: lower (closed form: tight).
Source: arXiv:2510.27004, introduction (attention-absent MoE); closed form derived here.

Why fresh draws. Attention fits the quick tier's 32 replicates as well: at sigma = 1, L = 8 the
fitted floor(mot) is half the fresh one: part of a gain on fitted draws is memory (measured).

Finding. Linear experts: the closed form holds, and stage II lowers the floor once attention is
trained for long enough (400 steps at rate 20; the presets' 200 steps at 0.1 hardly move it).
Cubic experts behind near-identity attention are still falling after stage III: their slope vanishes
on small projections, and the attention start of 8 I mixes noise in; without attention their loss
is then 25 times lower at the same step. The quick tier leaves them open.
"""

import numpy as np
import pandas as pd

from motsim.claims import Claim, Finding, Verdict
from motsim.mixture.status import Status
from motsim.results.tables import Tables
from motsim.statistics.intervals import least_interval, mean_interval

__all__ = ["CLAIM", "floors", "judge", "noise_weight", "predicted_floor"]

CLAIM = Claim(
    statement="A mixture of experts without attention keeps an error floor that attention lowers.",
    source="arXiv:2510.27004, introduction",
    origin="reconstructed",
    prediction="floor(moe) = tau/(2(1+tau)), tau = sigma^2 (L-3)/d; floor(mot) below it",
    kind="lower",
)

NUM_CLASSES, DIM, NODES = 2, 8, 2
REPLICATES = {"quick": 32, "full": 128}
TOLERANCE = 0.15  # relative, of the closed form; without the noise term F would be 0
SETTLED = 0.03  # relative fall of the loss over the second half of stage III
NO_FLOOR = 1e-8
CELL = ["noise_std", "num_tokens"]


def predicted_floor(noise_std: float, num_tokens: int, replicates: int | None = None) -> float:
    """Floor of a linear expert without attention; of the fitted sample if `replicates` is given."""
    tau = noise_std**2 * (num_tokens - 3) / DIM
    if replicates is not None:
        draws = (NUM_CLASSES - 1) * NODES * replicates
        tau *= 1.0 - (DIM - 2 * NUM_CLASSES) / draws
    return float(0.5 * tau / (1.0 + tau))


def floors(tables: Tables, case: str) -> pd.DataFrame:
    """Final loss of each run and its last relative fall.

    Columns noise_std, num_tokens, seed, floor (on the fitted draws), fresh (on unseen draws; the
    same where there is no noise) and fall.
    """
    runs, curve = tables.runs, tables.others.get("curve", pd.DataFrame())
    columns = [*CELL, "seed", "floor", "fresh", "fall"]
    if runs.empty or curve.empty or not {"case", *CELL} <= set(runs.columns):
        return pd.DataFrame(columns=columns)
    runs = runs[(runs["case"] == case) & runs["status"].isin([Status.REACHED, Status.MAX_STEPS])]
    late = curve[(curve["case"] == case) & (curve["stage"] == "converge")]
    place = late.groupby([*CELL, "seed"])["step"]
    late = late[late["step"] >= (place.transform("min") + place.transform("max")) / 2]
    fall = late.groupby([*CELL, "seed"])["loss"].agg(lambda x: 1.0 - x.iloc[-1] / x.iloc[0])
    unseen = runs["fresh_loss"] if "fresh_loss" in runs else runs["final_loss"] * np.nan
    fresh = unseen.where(runs["noise_std"].astype(float) > 0, runs["final_loss"])
    found = runs.assign(floor=runs["final_loss"], fresh=fresh)[columns[:-1]]
    return found.merge(fall.rename("fall").reset_index(), on=[*CELL, "seed"], how="left")


def noise_weight(tables: Tables, case: str) -> pd.DataFrame:
    """Share of attention on noise tokens by step (noise_std, num_tokens, seed, stage, share)."""
    keys = [*CELL, "seed", "step", "stage"]
    rows = tables.with_columns("attention", "case", "query", "key", "weight", *keys)
    rows = rows[(rows["case"] == case) & (rows["key"] == "noise")]
    count = np.where(rows["query"] == "noise", rows["num_tokens"] - 3, 1) / rows["num_tokens"]
    rows = rows.assign(share=rows["weight"] * count)
    return rows.groupby(keys, sort=False)["share"].sum().reset_index()


def judge(tables: Tables) -> list[Finding]:
    """Judge the closed form, the gain, the case without noise, the attention, cubic experts."""
    return [
        _closed_form(tables),
        _gain(tables, "mot-linear", "linear"),
        _no_noise(tables),
        _alignment(tables),
        _gain(tables, "cubic", "cubic"),
    ]


def _closed_form(tables: Tables) -> Finding:
    rows = floors(tables, "moe-linear")
    rows = rows[rows["noise_std"] > 0]
    replicates = REPLICATES.get(str(tables.meta.get("tier")), REPLICATES["quick"])
    pairs = rows[CELL].itertuples(index=False)
    target = np.array([predicted_floor(float(s), int(n), replicates) for s, n in pairs])
    ratio = np.log(rows["floor"].to_numpy(float) / target)
    by_seed = pd.Series(ratio).groupby(rows["seed"].to_numpy()).mean()
    found = mean_interval(by_seed.to_numpy())
    verdict = found.within(np.log(1 - TOLERANCE), np.log(1 + TOLERANCE))
    if not (rows["fall"] < SETTLED).all():
        verdict = Verdict.INCONCLUSIVE
    span = f"{rows['floor'].min():.2g} to {rows['floor'].max():.2g}" if len(rows) else "none"
    ratio = found.map(np.exp)
    return Finding(
        "moe-linear", "measured / tau/(2(1+tau)) = 1 within 15 %",
        f"{ratio:.3f}", verdict,
        f"geometric mean over {rows[CELL].drop_duplicates().shape[0]} pairs of sigma and L,"
        f" {len(by_seed)} seeds; floors {span}", ratio,
    )  # fmt: skip


def _gain(tables: Tables, name: str, kind: str) -> Finding:
    """Smallest gain floor(moe)/floor(mot) over the cells with noise, paired by seed."""
    pair = floors(tables, f"moe-{kind}").merge(
        floors(tables, f"mot-{kind}"), on=[*CELL, "seed"], suffixes=("_moe", "_mot")
    )
    pair = pair[pair["noise_std"].astype(float) > 0]
    unsettled = int(((pair["fall_moe"] >= SETTLED) | (pair["fall_mot"] >= SETTLED)).sum())
    gains = {
        f"sigma = {sigma:g}, L = {length:g}": np.log(rows["fresh_moe"] / rows["fresh_mot"])
        for (sigma, length), rows in pair.astype(float).groupby(CELL)
    }
    where = min(gains, key=lambda cell: gains[cell].mean()) if gains else "no runs"
    found = least_interval(list(gains.values()))
    verdict = found.above(0.0)
    evidence = (
        f"smallest gain of {len(gains)} pairs of sigma and L, at {where}, on fresh noise draws"
    )
    if unsettled:
        verdict = Verdict.INCONCLUSIVE
        evidence += f"; the loss still falls in {unsettled} of {len(pair)} pairs of runs"
    gain = found.map(np.exp)
    return Finding(name, "floor(moe) / floor(mot) > 1", f"{gain}", verdict, evidence, gain)


def _no_noise(tables: Tables) -> Finding:
    """Negative side of the claim: without noise no model has a floor."""
    largest = {}
    for case in ("moe-linear", "mot-linear"):
        rows = floors(tables, case)
        largest[case] = rows[rows["noise_std"] == 0].groupby("seed")["floor"].max().astype(float)
    both = pd.DataFrame(largest).dropna()  # seeds that both models have
    worst = np.log10(both.max(axis=1).to_numpy())
    found = mean_interval(worst)
    return Finding(
        "no-noise", f"sigma = 0: no floor, loss < {NO_FLOOR:g}",
        f"{found:10^.1f}", found.below(float(np.log10(NO_FLOOR))),
        f"largest final loss of moe and mot over L, {len(worst)} seeds", found,
    )  # fmt: skip


def _alignment(tables: Tables) -> Finding:
    """Attention on noise tokens at the end over its uniform start, at the strongest noise."""
    rows = noise_weight(tables, "mot-linear")
    ratios = np.array([])
    if len(rows):
        rows = rows[(rows["noise_std"] == rows["noise_std"].max())]
        rows = rows[rows["num_tokens"] == rows["num_tokens"].max()].sort_values("step")
        share = rows.groupby("seed")["share"].agg(["first", "last"])
        ratios = (share["last"] / share["first"]).to_numpy()
    ratio = mean_interval(ratios)
    return Finding(
        "alignment", "stage II takes attention off noise tokens: ratio end / start < 1",
        f"{ratio}", ratio.below(1.0),
        f"mean attention weight on noise tokens over all queries, largest sigma and L,"
        f" {len(ratios)} seeds", ratio,
    )  # fmt: skip
