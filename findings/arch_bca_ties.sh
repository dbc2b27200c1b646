#!/usr/bin/env bash
# arch's BC and BCa intervals of whole numbers lie too low: the interval of -T is not minus the interval of T.
#
# Guess: a bootstrap interval of the median turns over with the data: of -T it is minus that of T.
# Seen:  in arch it does not. The bias correction counts the resamples *strictly* below the estimate; where
#        steps are whole numbers a large part equals it, which the correction takes for bias and moves the
#        interval down. Of ten seeds' T: [10, 12.5], turned over [11, 14]. scipy counts half of the ties: the
#        same [10.5, 13] both ways, as plain percentiles do.
# Why:   T(eps) is a whole number and a median of few seeds has few values, so ties are the rule; a method's
#        steps look fewer by an amount that no number of resamples removes, and a slope fitted through them tilts.
# Instead: scipy.stats.bootstrap (BCa), arch's "percentile", or add a random fraction of a step to T first.
set -euo pipefail
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
python3 -m venv "$d/v"
"$d/v/bin/pip" install -q arch==8.0.0 scipy==1.17.1 numpy==2.4.6 pandas==2.3.3
"$d/v/bin/python" -W ignore - <<'E'
import numpy as np, scipy, arch
from arch.bootstrap import IIDBootstrap
from scipy.stats import bootstrap
print("arch", arch.__version__, " scipy", scipy.__version__)
steps = np.array([10, 10, 11, 11, 11, 12, 12, 13, 14, 15.0])

def of_arch(x, method):
    return IIDBootstrap(x, seed=1).conf_int(np.median, 20000, method=method).ravel()

def of_scipy(x, method):
    found = bootstrap((x,), np.median, method=method, n_resamples=20000, rng=1).confidence_interval
    return np.array([found.low, found.high])

seen = {}
for name, function, method in (("arch percentile", of_arch, "percentile"), ("arch bc", of_arch, "bc"),
                               ("arch bca", of_arch, "bca"), ("scipy BCa", of_scipy, "BCa")):
    seen[name] = function(steps, method), -function(-steps, method)[::-1]
    print(f"{name:16} of T {seen[name][0]}   of -T, turned back {seen[name][1]}")
same = {name: bool(np.allclose(*pair)) for name, pair in seen.items()}
assert same == {"arch percentile": True, "arch bc": False, "arch bca": False, "scipy BCa": True}, same
assert (seen["arch bca"][0] < seen["arch bca"][1]).all()
assert (seen["arch bca"][0] < seen["scipy BCa"][0]).all()
E
