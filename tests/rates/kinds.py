"""All kinds of curves that people have."""

from tests.rates.hit_kinds import (
    coarse_looks,
    copies,
    cut_short,
    drifting,
    far_floor,
    few_points,
    few_seeds,
    log_before_power,
    minority,
    near_floor,
    noisy,
    one_stop,
    own_exponents,
    power_then_log,
    tenfold_factors,
    tiny_steps,
    two_terms,
    units,
)
from tests.rates.loss_kinds import (
    bursts,
    ends_in_nan,
    ends_on_a_plateau,
    noise_level,
    own_least,
    raw,
    raw_units,
    sgd,
    six_decimals,
    starts_late,
    step_decay,
    thinned,
    unlike_lengths,
    zeros,
)

#: Kinds by name, and whether a power makes sense for them too (p is 0 where it does not).
KINDS = {
    "exact": (noisy(0.0), True), "noise 0.25": (noisy(0.25), True), "noise 0.5": (noisy(0.5), True),
    "noise 0.8": (noisy(0.8), True), "sgd 0.1": (sgd(0.1), True), "sgd 0.3": (sgd(0.3), True),
    "sgd 0.6": (sgd(0.6), True),
}  # fmt: skip
KINDS |= {
    kind.__name__.replace("_", " "): (kind, True)
    for kind in (
        few_seeds, own_exponents, one_stop, near_floor, far_floor, cut_short, copies,
        tenfold_factors, units, few_points, tiny_steps, coarse_looks, minority, raw, starts_late,
        thinned, bursts, noise_level, zeros, six_decimals, ends_in_nan, unlike_lengths, raw_units,
        ends_on_a_plateau, own_least,
    )
}  # fmt: skip
KINDS |= {
    kind.__name__.replace("_", " "): (kind, False)
    for kind in (drifting, log_before_power, power_then_log, two_terms, step_decay)
}
