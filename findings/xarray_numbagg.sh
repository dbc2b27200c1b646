#!/usr/bin/env bash
# Installing numbagg, which nothing imports, makes xarray's smoothed loss negative, shortens T(eps), and turns
# everything after one infinite loss into nan.
#
# Guess: an optional accelerator changes a rolling mean by a few units in the last place.
# Seen:  where numbagg is installed xarray's rolling(...).mean() uses it, without being asked, and its running sum
#        keeps the rounding error of the largest loss ever seen. A curve that falls from 1e4 to 5e-14, smoothed
#        over 10 steps: 113 of 1600 means are negative, the last has the wrong sign, T(1e-12) is 1455 in place of
#        1479. After one infinite loss every later mean is nan, where plain xarray recovers after 10 steps.
#        Without numbagg, and in pandas (compensated sums) with it, 1479. (bottleneck does the same, but this
#        version of xarray has switched it off; older ones used it unasked.)
# Why:   T(eps) of a smoothed curve depends on what else the environment holds; no warning. A log-log fit drops
#        or fails at the negative means. It starts where the loss has fallen by some 13 to 16 decades, or jumps.
# Instead: xarray.set_options(use_numbagg=False), or smooth with pandas or polars, or smooth log(loss).
set -euo pipefail
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
python3 -m venv "$d/v"
"$d/v/bin/pip" install -q xarray==2026.9.0 numpy==2.4.6 pandas==2.3.3
cat > "$d/smooth.py" <<'E'
import sys
import numpy as np, pandas as pd, xarray as xr
loss = 1e4 * np.exp(-np.arange(1600) / 40)
smooth = xr.DataArray(loss, dims="step").rolling(step=10).mean().values
exact = np.r_[np.full(9, np.nan), [loss[i - 9 : i + 1].mean() for i in range(9, 1600)]]
of_pandas = pd.Series(loss).rolling(10).mean().to_numpy()
T = [int(np.argmax(m <= 1e-12)) for m in (exact, of_pandas, smooth)]
negative = int((smooth < 0).sum())
jump = np.ones(40)
jump[5] = np.inf
after = xr.DataArray(jump, dims="step").rolling(step=10).mean().values[15:]
print(f"xarray {xr.__version__}: T(1e-12) exact {T[0]}, pandas {T[1]}, xarray {T[2]}; "
      f"{negative} means below 0, last {smooth[-1]:.3g} (exact {exact[-1]:.3g}); "
      f"means after an infinite loss: {after[0]} ... {after[-1]}")
if sys.argv[1] == "without":
    assert T == [1479, 1479, 1479] and negative == 0 and (after == 1).all()
else:
    assert T[:2] == [1479, 1479] and T[2] < 1470 and negative > 50 and smooth[-1] < 0 and np.isnan(after).all()
E
echo "without numbagg"; "$d/v/bin/python" "$d/smooth.py" without
"$d/v/bin/pip" install -q numbagg==0.9.6 numba==0.68.1
echo "with numbagg 0.9.6"
"$d/v/bin/python" "$d/smooth.py" with
