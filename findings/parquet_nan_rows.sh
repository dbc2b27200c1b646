#!/usr/bin/env bash
# Whether a parquet reader sees the NaN losses depends on row groups: isnan() finds none, `loss < 1` finds them.
#
# Guess: a filter gives the same rows on a parquet file as on the same table in memory.
# Seen:  pyarrow and polars write a row group's minimum and maximum without its NaN, and readers decide by them:
#        - duckdb on such a file: `isnan(loss)` gives no row at all, and `loss < 1` gives the NaN rows too,
#          wherever a group's maximum lies below 1. A file that duckdb wrote, or its own table, is right.
#        - pyarrow on such a file: `~(loss < eps)` drops the NaN rows of a group whose maximum lies below eps.
#        - polars reads the same files right.
# Why:   T(eps) = min(step) where loss < eps becomes the first step at which the loss was not a number (not yet
#        evaluated, or diverged), and the count of diverged steps becomes 0.
# Instead: filter after loading, and store "not measured" as null rather than NaN (what pandas writes).
set -euo pipefail
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
python3 -m venv "$d/v"
"$d/v/bin/pip" install -q duckdb==2.0.1 pyarrow==26.0.1 polars==2.1.0 numpy==2.4.6
cd "$d" && "$d/v/bin/python" - <<'E'
import duckdb, numpy as np, polars as pl, pyarrow as pa, pyarrow.compute as pc, pyarrow.parquet as pq
print("duckdb", duckdb.__version__, " pyarrow", pa.__version__, " polars", pl.__version__)
loss = 0.9 ** np.arange(200)
loss[:3] = loss[100] = np.nan                       # not evaluated at first; one NaN step later
curve = pa.table({"step": np.arange(200), "loss": loss})
pq.write_table(curve, "arrow.parquet")
pl.from_arrow(curve).write_parquet("polars.parquet")
duckdb.sql("copy (select * from curve) to 'duckdb.parquet'")

sql = {}
for source in ("curve", "'duckdb.parquet'", "'arrow.parquet'", "'polars.parquet'"):
    one = lambda what: duckdb.sql(f"select {what} from {source}").fetchall()[0][0]
    sql[source] = (one("count(*) filter (where isnan(loss))"),
                   duckdb.sql(f"select count(*) from {source} where isnan(loss)").fetchall()[0][0],
                   duckdb.sql(f"select min(step) from {source} where loss < 1").fetchall()[0][0])
    print(f"duckdb, from {source:18} NaN (aggregate) %d, NaN (where) %d, T(1) %d" % sql[source])
above = ~(pc.field("loss") < 1)
memory, disk = curve.filter(above).num_rows, pq.read_table("arrow.parquet", filters=above).num_rows
lazy = pl.scan_parquet("arrow.parquet").filter(~(pl.col("loss") < 1)).collect().height
print("rows that are not below 1: pyarrow in memory", memory, ", pyarrow from the file", disk, ", polars", lazy)

assert sql["curve"] == sql["'duckdb.parquet'"] == (4, 4, 3)
assert sql["'arrow.parquet'"] == sql["'polars.parquet'"] == (4, 0, 0)
assert (memory, disk, lazy) == (4, 0, 4)
E
