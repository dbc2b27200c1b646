#!/usr/bin/env bash
# Half of the seeds reach eps: whether their median time is finite or infinite is decided by a rounding error.
#
# Guess: lifelines and statsmodels have one convention each for a survival curve that is exactly 1/2 (the time
#        at which it gets there, or the next), the same for every number of seeds.
# Seen:  neither keeps one. The product (n-1)/n * (n-2)/(n-1) * ... ends at 0.5000000000000001, 0.5 or
#        0.49999999999999994, and is compared with 0.5 as it is. With n seeds of which half reach eps, the last
#        at step 10 n/2, lifelines' median is finite for n = 4, 10, 12, ... and inf for n = 6, 8, 14, ...;
#        statsmodels has none for most n, and has one for n = 12 and 18. The same goes for the median of seeds
#        that *all* reach eps: it jumps by one seed with n. Neither gives the middle of the two, as numpy does.
# Why:   Kaplan-Meier medians are the proper way to treat seeds stopped by the budget, and "half of the seeds"
#        is where a T(eps) curve is cut off: the cut moves with n for no reason in the data.
# Instead: test survival <= 0.5 + 1e-9 yourself, or compute the order statistic where all are stopped at one budget.
set -euo pipefail
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
python3 -m venv "$d/v"
"$d/v/bin/pip" install -q lifelines==0.30.3 statsmodels==0.15.0 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
"$d/v/bin/python" -W ignore - <<'E'
import lifelines, numpy as np, statsmodels
from lifelines import KaplanMeierFitter
from statsmodels.duration.survfunc import SurvfuncRight
print("lifelines", lifelines.__version__, " statsmodels", statsmodels.__version__)

def medians(times, reached):
    one, other = KaplanMeierFitter().fit(times, reached), SurvfuncRight(times, reached)
    half = len(times) // 2 - 1                          # the curve is at 1/2 from here
    return float(one.median_survival_time_), float(other.quantile(0.5)), float(other.surv_prob[half])

finite, later = [], []
print(" n  half reach: lifelines, statsmodels (its curve)    all reach: lifelines, statsmodels (10 n/2)")
for n in range(4, 31, 2):
    h = n // 2
    a, b, s = medians(np.r_[np.arange(1, h + 1) * 10.0, np.full(h, 1e4)], np.r_[np.ones(h), np.zeros(h)])
    c, e, _ = medians(np.arange(1, n + 1) * 10.0, np.ones(n))
    print(f"{n:2} {a:10.5g} {b:10.5g}  ({s!r:20}) {c:12.5g} {e:8.5g}  ({10 * h})")
    finite.append((bool(np.isfinite(a)), bool(np.isfinite(b))))
    later.append((c > 10 * h, e > 10 * h))
for which in (0, 1):
    assert {pair[which] for pair in finite} == {True, False}, "one convention for every n now (half reach)"
    assert {pair[which] for pair in later} == {True, False}, "one convention for every n now (all reach)"
assert any(a != b for a, b in finite)
E
