#!/usr/bin/env bash
# big_O cannot be asked about n up to a million, and steps counted in thousands of millions are "Constant".
#
# Guess: infer_big_o_class(n, T) takes any range of n and says Logarithmic for T = 50 log(n), in any unit of T.
# Seen:  where the largest n is 1e6 it raises IndexError for every input: n^3 makes the cubic fit singular, numpy
#        then returns an empty residual, and big_O takes its first element. At 3e5 it works. Below that, a class
#        must win by an absolute 1e-6 in the sum of squares: the same T in a unit of 1e-9 is Constant, and so is
#        T = n^0.75, and T = 2 n.
# Why:   n = 1/eps down to eps = 1e-6 is an ordinary range for T(eps), and n^3 need not even be meant.
# Instead: classes=[Constant, Logarithmic, Linear, Polynomial] (none singular), T divided by its median.
set -euo pipefail
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
python3 -m venv "$d/v"
"$d/v/bin/pip" install -q big_O==0.11.0 numpy==2.4.6
"$d/v/bin/python" -W ignore - <<'E'
import importlib.metadata as im
import numpy as np
from big_o import complexities as c, infer_big_o_class
print("big_O", im.version("big_O"), " numpy", np.__version__)
truth = {"50 log n": lambda n: 50 * np.log(n), "n^0.75": lambda n: n**0.75, "2 n": lambda n: 2.0 * n}
few = [c.Constant, c.Logarithmic, c.Linear, c.Polynomial]
noise = 1 + 0.01 * np.random.default_rng(0).standard_normal(30)

def found(n, T, **given):
    try:
        return type(infer_big_o_class(n, T, **given)[0]).__name__
    except IndexError as error:
        return f"IndexError: {error}"

for name, T in truth.items():
    for largest in (3e5, 1e6):
        n = np.geomspace(10, largest, 30).round()
        steps = T(n) * noise
        seen = (found(n, steps), found(n, steps * 1e-9), found(n, steps / np.median(steps), classes=few))
        print(f"{name:9} n <= {largest:g}: {seen[0]};  T in 1e-9: {seen[1]};  four classes, T / median: {seen[2]}")
        if largest == 1e6:
            assert seen[0].startswith("IndexError") and seen[1].startswith("IndexError")
        else:
            assert seen[1] == "Constant" != seen[0]
        assert seen[2] == ("Logarithmic" if "log" in name else seen[2]) and "Error" not in seen[2]
E
