#!/usr/bin/env bash
# Iterates kept by a scipy callback are all the last one: T(eps) = 1 for every eps that was ever reached.
#
# Guess: `callback=lambda intermediate_result: kept.append(intermediate_result.x)` keeps the path, as
#        `callback=lambda xk: kept.append(xk)` does, for every method.
# Seen:  minimize's Newton-CG and L-BFGS-B hand the older signature a copy and the newer (recommended) one their
#        own array, which they go on writing to; BFGS, CG, Nelder-Mead and the trust-region methods hand copies to
#        both. The linear solvers cg, bicg, bicgstab, cgs, qmr and tfqmr hand out their own array, minres a copy.
# Why:   a curve ||x_t - x*|| or a test loss computed from the kept iterates after the run is flat at the final
#        error: a solver seems to be done after one step. The loss in intermediate_result.fun is right, so the
#        two curves of one run disagree.
# Instead: kept.append(intermediate_result.x.copy()), always.
set -euo pipefail
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
python3 -m venv "$d/v"
"$d/v/bin/pip" install -q scipy==1.17.1 numpy==2.4.6
"$d/v/bin/python" -W ignore - <<'E'
import numpy as np, scipy
from scipy.optimize import minimize, rosen, rosen_der, rosen_hess
from scipy.sparse import linalg
print("scipy", scipy.__version__)

def first(kept, end, eps=1e-6):
    distances = [np.linalg.norm(x - end) for x in kept]
    return next(i for i, distance in enumerate(distances, 1) if distance <= eps)

seen = {}
print("T(1e-6) of the distance to the end, from kept iterates:   xk   intermediate_result.x   ....x.copy()")
for method in ("BFGS", "CG", "Nelder-Mead", "trust-exact", "Newton-CG", "L-BFGS-B"):
    old, new, copied = [], [], []
    def keep(intermediate_result):
        new.append(intermediate_result.x)
        copied.append(intermediate_result.x.copy())
    given = dict(jac=rosen_der) if method != "Nelder-Mead" else {}
    given |= dict(hess=rosen_hess) if method in ("Newton-CG", "trust-exact") else {}
    end = minimize(rosen, [-1.2, 1.0, 0.5], method=method, callback=lambda xk: old.append(xk), **given).x
    minimize(rosen, [-1.2, 1.0, 0.5], method=method, callback=keep, **given)
    seen[method] = first(old, end), first(new, end), first(copied, end)
    print(f"  {method:12} %45d %15d %18d" % seen[method])
A, b = np.diag(np.linspace(1, 100, 30)) + 0.01, np.ones(30)
for name in ("cg", "bicg", "bicgstab", "cgs", "qmr", "tfqmr", "minres"):
    kept, copied = [], []
    getattr(linalg, name)(A, b, callback=lambda x: (kept.append(x), copied.append(x.copy())), rtol=1e-10)
    seen[name] = first(kept, kept[-1], 1e-5), first(copied, copied[-1], 1e-5)
    print(f"  {name:12} T(1e-5): kept {seen[name][0]}, copied {seen[name][1]}")
for name, (*_, kept, copied) in seen.items():
    overwritten = name not in ("BFGS", "CG", "Nelder-Mead", "trust-exact", "minres")
    assert (kept == 1) == overwritten and copied > 5, name
assert all(seen[name][0] == seen[name][2] for name in ("Newton-CG", "L-BFGS-B"))
E
