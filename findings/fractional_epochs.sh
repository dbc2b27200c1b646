#!/usr/bin/env bash
# A loss logged at epochs 0.25, 0.5, 0.75, ...: of four stores one keeps it, two garble it, one becomes unreadable.
#
# Guess: a store whose steps are whole numbers refuses step 0.25 when it is logged (TypeError).
# Seen:  mlflow, folder store: accepted and written; from then on the history of that metric, the whole run, and
#          search_runs() of the whole experiment raise ValueError. (This version opens a folder store only if
#          MLFLOW_ALLOW_FILE_STORE says so; in it, old runs go on.) mlflow's database store keeps 0.25.
#        optuna: all of an epoch are step 0, the first is kept, the others are dropped (a warning).
#        tensorboardX: cut to whole epochs, up to four values a step.
# Why:   T(eps) in epochs rounds down to the epoch's start (TensorBoard), up to the next epoch (optuna), or a
#        single careless call hides all other runs of a study (mlflow).
# Instead: log whole optimizer steps and keep the epoch as a metric of its own.
set -euo pipefail
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
python3 -m venv "$d/v"
"$d/v/bin/pip" install -q mlflow-skinny==3.17.2 sqlalchemy alembic sqlparse pandas==2.3.3 numpy==2.4.6 \
    optuna==5.0.0 tensorboardX==2.6.5
cat > "$d/log_epochs.py" <<'E'
import glob, importlib.metadata as im, struct
import mlflow, optuna, tensorboardX
from tensorboardX.proto.event_pb2 import Event
print(", ".join(f"{name} {im.version(name)}" for name in ("mlflow-skinny", "optuna", "tensorboardX")))
curve = [(k / 4, 2.0**-k) for k in range(1, 9)]                     # T(0.2) = 0.75 epochs, T(0.01) = 1.75

for uri in ("file:./folder", "sqlite:///mlflow.db"):
    mlflow.set_tracking_uri(uri)
    with mlflow.start_run():
        mlflow.log_metric("loss", 1.0, step=0)                      # another, proper run
    with mlflow.start_run() as run:
        for epoch, loss in curve:
            mlflow.log_metric("loss", loss, step=epoch)             # raises nothing
    read = {}
    for name, call in (("history", lambda: mlflow.MlflowClient().get_metric_history(run.info.run_id, "loss")),
                       ("get_run", lambda: mlflow.get_run(run.info.run_id)), ("search_runs", mlflow.search_runs)):
        try:
            read[name] = len(call()) if name != "get_run" else call().info.status
        except ValueError as error:
            read[name] = f"ValueError: {error}"
    print("mlflow", uri, read)
    assert all("ValueError" in str(v) for v in read.values()) == uri.startswith("file")

trial = optuna.create_study().ask()
[trial.report(loss, epoch) for epoch, loss in curve]
print("optuna", kept := trial.study.get_trials()[0].intermediate_values)
assert kept == {0: 0.5, 1: 2.0**-4, 2: 2.0**-8}

with tensorboardX.SummaryWriter("board") as writer:
    [writer.add_scalar("loss", loss, epoch) for epoch, loss in curve]
data, board = open(glob.glob("board/*")[0], "rb").read(), []
while data:                                                         # length, checksum, event, checksum
    size = struct.unpack("<Q", data[:8])[0]
    event = Event.FromString(data[12 : 12 + size])
    board += [(event.step, value.simple_value) for value in event.summary.value]
    data = data[16 + size :]
print("tensorboardX", board)
assert board == [(int(epoch), loss) for epoch, loss in curve]
E
cd "$d" && MLFLOW_ALLOW_FILE_STORE=true "$d/v/bin/python" -W ignore log_epochs.py
