"""Column names as people write them: which look like a loss, a step, a run or a method."""

import re
from collections.abc import Iterable, Sequence

__all__ = [
    "counts_rows",
    "is_aside",
    "is_method",
    "is_run",
    "is_split",
    "is_title",
    "loss_columns",
    "plain",
    "rises_by_name",
    "single_time",
    "step_columns",
]


def _words(text: str) -> list[str]:
    return text.split()


LOSSES = _words("""
loss train_loss training_loss loss_train train_loss_epoch training_loss_epoch loss_epoch
train_epoch_loss objective_value objective suboptimality subopt excess_loss excess_risk
optimality_gap primal_gap duality_gap gap error train_error training_error residual
residual_norm mse train_mse rmse nll cost energy val_loss validation_loss valid_loss eval_loss
dev_loss test_loss loss_val loss_validation loss_eval loss_test val_loss_epoch
validation_loss_epoch val_error validation_error test_error best_so_far_f_x best_f best_y raw_y
current_f_x f_x fx fval fun fitness best_fitness regret simple_regret cumulative_regret
perplexity value
""")
STEPS = _words("""
step global_step _step trainer_global_step train_global_step train_step steps training_step
training_steps num_steps update updates num_updates iteration iterations iter iters n_iter it
num_iterations evaluation evaluations evals n_evals num_evals nfev n_evaluations
function_evaluation function_evaluations fevals f_evaluations gradient_evaluations n_calls calls
oracle_calls batch_idx epoch epochs n_epochs samples samples_seen n_samples num_samples examples
examples_seen num_examples tokens tokens_seen n_tokens num_tokens train_tokens tokens_processed
flop flops total_flops compute stop_val round rounds t k
""")
TIMES = ["time", "wall_time", "walltime", "elapsed", "elapsed_time", "runtime", "seconds"]
RUNS = _words("""
run run_id run_name run_number seed random_seed rng_seed seed_id random_state trial trial_id
replicate replica repetition repeat rep idx_rep study study_id fold experiment_id id job_id
""")
METHODS = _words("""
optimizer optimiser algorithm algo alg alg_id method solver solver_name model model_name
model_size model_millions schedule scheduler lr_schedule dataset dataset_name data_name data
task problem objective_name function func_id function_id dim dimension config configuration
setting variant architecture arch condition arm group category benchmark type lr
learning_rate initial_lr peak_lr max_lr base_lr step_size stepsize eta batch_size batchsize bs
momentum beta beta1 beta2 weight_decay wd width depth hidden hidden_size num_layers n_layers
layers d_model heads params num_params n_params parameters rank temperature noise sigma kappa
condition_number precision warmup_steps instance instance_id version
""")
ASIDES = _words("""
status state outcome converged diverged finished success host hostname machine node device gpu user
date time timestamp datetime created_at started_at run_date commit git_commit git_hash sha notes
comment comments message
""")
TITLES = {"name", "label", "file", "filename", "path", "key", "experiment", "exp", "title"}
SPLITS = {"split", "phase", "set", "subset", "stage", "mode", "tag", "metric", "variable"}
SINGLE_TIMES = re.compile(
    r"(steps?|epochs?|samples|iterations?|time|evals)_(to|until)_\w+|hitting_time"
)
ROW_COUNTS = re.compile(r"unnamed_\d+(_\d+)?|_?index|_?index_level_0|level_0|row_?names?")
RISING = re.compile(
    r"(^|_)(acc|accuracy|score|reward|return|auc|f1|ssim|psnr|bleu|best_f|raw_y|fitness)(_|$)"
    r"|^(value|y)$"
)


def plain(name: str) -> str:
    """Return a name in small letters with single underscores.

    >>> plain("Train/Loss"), plain("Wall time"), plain("best-so-far f(x)"), plain("_step")
    ('train_loss', 'wall_time', 'best_so_far_f_x', '_step')
    """
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip())
    text = re.sub(r"[^0-9a-z_]+", "_", text.lower())
    text = re.sub(r"__+", "_", text).rstrip("_")
    return text


def _ranked(names: Iterable[str], order: Sequence[str]) -> list[str]:
    rank = {word: i for i, word in reversed(list(enumerate(order)))}
    known = [name for name in names if plain(name) in rank]
    return sorted(known, key=lambda name: rank[plain(name)])


def loss_columns(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return (known names of a loss, the likeliest first; others that speak of a loss).

    >>> loss_columns(["step", "test_loss", "train_loss", "pde_loss"])
    (['train_loss', 'test_loss'], ['pde_loss'])
    """
    known = _ranked(names, LOSSES)
    words = re.compile(r"loss|objective|subopt|error|(^|_)(nll|mse)(_|$)")
    return known, [name for name in names if name not in known and words.search(plain(name))]


def step_columns(names: Sequence[str]) -> list[str]:
    """Return names of a step, the likeliest first; times of the clock come last.

    >>> step_columns(["time", "epoch", "trainer/global_step", "train_loss_step"])
    ['trainer/global_step', 'epoch', 'time']
    """
    return _ranked(names, STEPS + TIMES)


def counts_rows(name: str) -> bool:
    """Tell whether a column is named as pandas (or R) calls its count of rows.

    >>> counts_rows("Unnamed: 0"), counts_rows("index"), counts_rows("Unnamed")
    (True, True, False)
    """
    return ROW_COUNTS.fullmatch(plain(name)) is not None


def is_run(name: str) -> bool:
    """Tell whether a column is named like a seed or a run."""
    return plain(name) in RUNS


def is_method(name: str) -> bool:
    """Tell whether a column is named like a method or a setting.

    >>> is_method("model_millions"), is_method("p_solver_lr"), is_method("grad_norm")
    (True, True, False)
    """
    word = plain(name)
    return word in METHODS or word.startswith(("p_solver_", "p_dataset_", "hp_", "hparams_"))


def is_split(name: str) -> bool:
    """Tell whether a column says which quantity or data a row is about."""
    return plain(name) in SPLITS


def is_aside(name: str) -> bool:
    """Tell whether a column is about how or where a run went, not which method it is of."""
    return plain(name) in ASIDES


def is_title(name: str) -> bool:
    """Tell whether a column holds names that may be of runs or of methods."""
    return plain(name) in TITLES


def single_time(name: str) -> bool:
    """Tell whether a column holds times to one target.

    >>> single_time("epochs_to_converge"), single_time("time_to_target_s"), single_time("epoch")
    (True, True, False)
    """
    return SINGLE_TIMES.fullmatch(plain(name)) is not None


def rises_by_name(name: str) -> bool:
    """Tell whether a column is named like something to maximise."""
    return RISING.search(plain(name)) is not None
