"""No window of a law ends just above another law without the claim saying so.

Every case of a sweep whose claim states a law of T(eps) is run `DEEPER` times further down, along
the gradient flow where there is one. Where the law changes there, the claim has to say at which
eps: in the verdict of that case, or of one of the same model that looks further down. One run of
seeds 0 and 1 stands for a case: a change in some runs only, or further down, is not seen here.
"""

import inspect
import re

import numpy as np
import pytest

from motsim.claims import claim_module, claim_names
from motsim.claims._rates import rate_finding
from motsim.experiments.mixture.run import Settings, run
from motsim.plans.loading import load_sweep
from motsim.rates.depth import SAME_ORDER

DEEPER = 100.0
SEEDS = 2
JUDGED = 3  # seeds; with fewer there is no law to speak of
#: In the module of a claim that decides a law.
STATES = "rate_finding|log_finding|depth_finding|power_findings|case_decision|log_depth|decide"
DECIDES = re.compile(rf"\b({STATES})\(")
DECIDING = [n for n in claim_names() if DECIDES.search(inspect.getsource(claim_module(n)))]
#: Claims that state laws of T(eps) to a window's end, and the cases that do; None: all.
STATING = {
    name: getattr(claim_module(name), "LAW_CASES", None)
    for name in DECIDING
    if not hasattr(claim_module(name), "NO_WINDOW")
}
#: Findings that are not named after their case.
NAMED = {"weak": "law"}
#: What differs between cases of one model that look to different depths.
LOOK = {"epsilon_min", "converge_steps", "dynamics", "flow_rtol", "flow_atol", "flow_method",
        "measures", "seed", "epsilons_per_decade", "curve_points"}  # fmt: skip
#: Words that say at which eps a law ends.
SAYS = re.compile(r"down to (\S+) only|ends at eps = (\S+)|not looked at below (\S+)")
STOPS = re.compile(r"smallest eps reached (\S+)")  # within the window, not at its end
#: And those that say that there is none, or that it stops: these name no eps.
NO_LAW = re.compile(r"less than three decades of a logarithm|^floor", re.MULTILINE)


def deeper(settings):
    """The same run `DEEPER` times further down; where no flow is possible, 4 times as long."""
    values = settings.model_dump() | {"epsilon_min": settings.epsilon_min / DEEPER, "measures": ()}
    if settings.converge_optimizer == "gd" and settings.routing == "expected":
        before = settings.specialize_steps + settings.align_steps
        values |= {"dynamics": "flow", "converge_steps": 10**16 - before}
    else:
        values["converge_steps"] = 4 * settings.converge_steps
    return Settings(**values)


def change(epsilons, times, smallest):
    """Where the law of the window's last two decades has ended, down to `smallest` / `DEEPER`.

    Both laws have a constant ratio of the times that two neighboring decades take: 1, or 10^p. It
    has changed where it differs by more than a factor `SAME_ORDER`. None where it has not.
    """
    x, times = np.log10(np.asarray(epsilons)), np.asarray(times, dtype=float)
    ends = np.log10(smallest) + np.array([2.0, 1.0, 0.0, -1.0, -2.0])
    at = times[np.abs(x[:, None] - ends).argmin(axis=0)]
    if (at < 0).any():
        return float(np.min(np.asarray(epsilons)[times >= 0], initial=1.0))
    took = np.diff(at)
    ratio = took[1:] / np.maximum(took[:-1], 1.0)
    off = np.maximum(ratio, 1e-9) / ratio[0]
    for place, factor in zip(ends[2:-1], off[1:], strict=True):
        if not 1.0 / SAME_ORDER <= factor <= SAME_ORDER:
            return float(10.0**place)
    return None


def text(finding):
    return f"{finding.measured}\n{finding.evidence}"


def says_so(findings, smallest):
    """Whether a finding says where its law ends, above where it was looked at deeper."""
    for finding in findings:
        if NO_LAW.search(finding.measured):
            return True
        for pattern, least in ((SAYS, smallest / DEEPER), (STOPS, 1.1 * smallest)):
            for found in pattern.finditer(text(finding)):
                if float(next(filter(None, found.groups())).rstrip(":;,.")) >= 0.99 * least:
                    return True
    return False


def model_of(settings):
    return tuple(sorted((k, str(v)) for k, v in settings.model_dump().items() if k not in LOOK))


def scan(cells, findings):
    """Cases whose law changes below their window, with where, and whether that is said."""
    by_case, models = {}, {}
    for cell in cells:
        case, settings = cell.labels["case"], cell.settings
        name = NAMED.get(case, case)
        own = [f for f in findings if f.case == name or f.case.startswith(f"{name} ")]
        models.setdefault(model_of(settings), []).extend(own)
        if settings.seed < SEEDS:
            by_case.setdefault((case, model_of(settings)), []).append(settings)
    changed = {}
    for (case, model), some in by_case.items():
        assert models[model], f"{case}: no finding"
        for settings in some:
            result = run(deeper(settings))
            hits = result.tables["hits"]
            found = change(hits["epsilon"], hits["stage_step"], settings.epsilon_min)
            if found is not None:
                said = says_so(models[model], settings.epsilon_min)
                changed.setdefault((case, settings.epsilon_min), []).append((found, said))
    return changed


def unsaid(changed):
    return {case: found for case, found in changed.items() if not all(said for _, said in found)}


def check(run_sweep, name, cases=None):
    """Scan some cases of a sweep, judged on a few seeds; return what changed."""
    kept = cases or STATING[name]
    cells = [
        cell for cell in load_sweep(name).cells(seeds=JUDGED)
        if kept is None or cell.labels["case"] in kept
    ]  # fmt: skip
    names = list(dict.fromkeys(cell.labels["case"] for cell in cells))
    names += {"sampled-routing": ["expected"]}.get(name, [])  # to compare with
    findings = claim_module(name).judge(run_sweep(name, seeds=JUDGED, cases=names))
    changed = scan(cells, findings)
    assert not unsaid(changed)
    return changed


def test_every_claim_that_decides_a_law_is_scanned_or_says_why_not():
    """Nothing is listed here: a claim that is added is scanned in all its cases."""
    for name in claim_names():
        module, cases = claim_module(name), {cell.labels.get("case") for cell in load(name)}
        said = {n for n in ("LAW_CASES", "NO_WINDOW") if hasattr(module, n)}
        assert not said or name in DECIDING, f"{name} decides no law"
        assert len(said) < 2, name
        assert set(STATING.get(name) or ()) <= cases, name
        assert len(getattr(module, "NO_WINDOW", "a reason in words").split()) > 2, name
    assert {"rates", "rate-single", "rate-mot"} <= STATING.keys()  # control: laws are found
    assert not {"optimizers", "coverage"} & STATING.keys()


def load(name):
    return load_sweep(name).cells(seeds=1)


def test_a_law_that_goes_on_has_not_changed():
    """And one that does not has: a logarithm, a power, one after the other, a stop."""
    epsilons = 10.0 ** -np.arange(1.0, 10.1, 0.25)
    log, power = -np.log10(epsilons) * 50.0, epsilons**-0.9
    for times in (log, power, epsilons**-0.5):
        assert change(epsilons, times, 1e-8) is None
    below = epsilons < 1.01e-8
    first = {"slower": np.where(below, log + 400.0 * (1e-8 / epsilons - 1.0), log),
             "logarithm": np.where(below, power.max() + 1e3 * log, power)}  # fmt: skip
    first["logarithm"] = np.minimum(power, 1e-8**-0.9 * (1.0 + 0.2 * np.log(1e-8 / epsilons)))
    for times in first.values():
        assert change(epsilons, times, 1e-8) == pytest.approx(1e-8, rel=0.01)
    stopped = np.where(epsilons > 3e-9, log, -1.0)
    assert change(epsilons, stopped, 1e-8) == pytest.approx(3.16e-9, rel=0.01)


#: Some seconds in all; the others with the mark `slow`.
BOUNDED = {
    "rates": ("mot-squared-deep", "single-1-logistic"),
    "rate-mot": ("classes", "logistic"),
    "last-stage": ("linear-untrained", "cubic-aligned"),
}


@pytest.mark.parametrize("name", BOUNDED)
def test_what_changes_below_a_window_is_said(run_sweep, name):
    changed = check(run_sweep, name, BOUNDED[name])
    if name == "rates":  # there is something to say
        assert changed.keys() == {("mot-squared-deep", 1e-16)}


@pytest.mark.slow
@pytest.mark.parametrize("name", STATING)
def test_what_changes_below_any_window_is_said(run_sweep, name):
    check(run_sweep, name)


def test_a_window_just_above_a_floor_is_found(run_sweep, tmp_path):
    """Negative control: cubic experts lose their logarithm at 7e-11, and 1e-10 does not tell."""
    path = tmp_path / "made-up.toml"
    path.write_text(
        'title = "made up"\nkind = "mixture"\nseeds = 3\n[fixed]\npreset = "cubic"\n'
        "[case.above]\nepsilon_min = 1e-10\n[case.far-above]\nepsilon_min = 1e-7\n"
    )
    tables = run_sweep(str(path), seeds=JUDGED, cases=["above", "far-above"])
    findings = [rate_finding(case, rows, "log") for case, rows in tables.main.groupby("case")]
    cells = load_sweep(str(path)).cells()
    assert unsaid(scan(cells, findings)).keys() == {("above", 1e-10)}
