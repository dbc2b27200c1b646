#!/usr/bin/env bash
# Quantiles of times of which some are infinite: numpy says nan, even where the answer is a finite value.
#
# Guess: with T = inf for a seed that never reached eps, quantiles are finite or inf like the sorted values are:
#        of [10, 20, inf, inf, inf] the first quartile is 20 and the median inf.
# Seen:  numpy.quantile says nan for both: it interpolates even where the quantile falls on a value, and
#        20 + 0 * (inf - 20) is nan, as is inf - inf. Only between a finite value and an infinite one it says inf.
#        So does pandas; scipy.stats.quantile says inf between two infs and nan on a value. numpy.median says inf,
#        statistics.quantiles 15, nan, inf. polars says 20 and inf.
# Why:   whether a quartile of T(eps) is 20 or nan depends on the number of seeds, not on the 20; a later "nan =
#        no data" step drops the very settings in which a method fails. The same holds for percentile bootstraps
#        of a statistic that can be infinite.
# Instead: method="inverted_cdf" (or "lower", "higher"), which takes a value and never does arithmetic.
set -euo pipefail
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
python3 -m venv "$d/v"
"$d/v/bin/pip" install -q numpy==2.4.6 scipy==1.17.1 pandas==2.3.3 polars==2.1.0
"$d/v/bin/python" -W ignore - <<'E'
import statistics
import numpy as np, pandas as pd, polars as pl, scipy, scipy.stats as st
print("numpy", np.__version__, " scipy", scipy.__version__, " pandas", pd.__version__, " polars", pl.__version__)
times = np.array([10.0, 20.0, np.inf, np.inf, np.inf])
rows = {q: [float(np.quantile(times, q)), float(pd.Series(times).quantile(q)), float(st.quantile(times, q)),
            pl.Series(times).quantile(q, "linear"), float(np.quantile(times, q, method="inverted_cdf"))]
        for q in (0.25, 0.3, 0.5, 0.6)}
print("  q    numpy  pandas   scipy  polars  numpy, inverted_cdf")
for q, row in rows.items():
    print(f"{q:4}", *(f"{value:7.4g}" for value in row))
print("numpy.median", np.median(times), " statistics.quantiles", statistics.quantiles(times.tolist(), n=4))

nan = np.isnan
assert all(nan(rows[q][i]) for q in (0.25, 0.5) for i in (0, 1, 2))
assert rows[0.25][3:] == [20, 20] and rows[0.5][3:] == [np.inf, np.inf]
assert rows[0.3][:3] == [np.inf] * 3 and np.median(times) == np.inf
assert nan(rows[0.6][:2]).all() and rows[0.6][2] == np.inf
assert nan(statistics.quantiles(times.tolist(), n=4)[1])
E
