#!/usr/bin/env bash
# ioh's Analyzer log stops improving at 1e-10, and the value it stops at reads back as exactly 0.
#
# Guess: the .dat file holds one row for every evaluation that improved the best value, and the .json
#        header the best value reached.
# Seen:  an improvement of less than 1e-10 (absolute) over the last *logged* one counts as none: it gets no
#        row, and the header's "best" stays there too, although problem.state.current_best goes on. Values
#        have ten fixed decimals, so the last row says 0.0000000000 and iohinspector reads 0.0.
# Why:   an error halved in every evaluation reaches every eps < 1e-10 at the *same* evaluation, too early:
#        T(1e-14) is read as 7 in place of 18. A logarithmic T(eps) bends into a constant.
# Instead: ask no eps below about 1e-9 of such a log (or log -log10(error), which the ten decimals suit), and
#        never read 0.0 there as "reached everything".
set -euo pipefail
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
python3 -m venv "$d/v"
"$d/v/bin/pip" install -q ioh==0.4.2 iohinspector==0.0.8 polars==2.1.0 numpy==2.4.6
cd "$d" && "$d/v/bin/python" -W ignore - <<'E'
import glob, importlib.metadata as im
import ioh, iohinspector
print("ioh", im.version("ioh"), " iohinspector", im.version("iohinspector"))
error = [2.0**-k for k in range(30, 50)]            # evaluation i (from 1) has error 2^-(29 + i)
feed = iter(error)
ioh.problem.wrap_real_problem(lambda x: next(feed), "halving", optimization_type=ioh.OptimizationType.MIN)
problem = ioh.get_problem("halving", 1, 2, ioh.ProblemClass.REAL)
log = ioh.logger.Analyzer(root=".", folder_name="run", algorithm_name="a")
problem.attach_logger(log)
for _ in error:
    problem([0.0, 0.0])
best = problem.state.current_best.y
problem.reset()
log.close()

print(open(glob.glob("run/*/*.dat")[0]).read())
header = open(glob.glob("run/*.json")[0]).read()
print([line.strip() for line in header.splitlines() if '"best"' in line], "while the state's best is", best)
manager = iohinspector.DataManager()
manager.add_folder("run")
rows = manager.load(monotonic=True, include_meta_data=False).select("evaluations", "raw_y").rows()
seen, true = {}, {}
for eps in (1e-9, 1e-10, 1e-12, 1e-14):
    seen[eps] = min((t for t, y in rows if y <= eps), default=None)
    true[eps] = next(i for i, y in enumerate(error, 1) if y <= eps)
    print(f"T({eps:g}): true {true[eps]}, from the log {seen[eps]}")
assert best == error[-1] and str(best) not in header, (best, error[-1])
assert (7, 0.0) in rows and not any(7 < t < len(error) for t, _ in rows)
assert seen == {1e-9: 1, 1e-10: 4, 1e-12: 7, 1e-14: 7} and true == {1e-9: 1, 1e-10: 5, 1e-12: 11, 1e-14: 18}
E
