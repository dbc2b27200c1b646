"""Independent draws among equals: the chance that they hit all, or that they are distinct."""

from collections.abc import Sequence
from itertools import combinations
from math import comb, perm

__all__ = ["coupon_collector", "distinct_choices", "unequal_coupons"]


def coupon_collector(num_classes: int, num_experts: float) -> float:
    """P[M independent uniform draws hit all N classes] (derived).

    >>> round(coupon_collector(4, 16), 3)
    0.96
    """
    n = num_classes
    return sum((-1) ** k * comb(n, k) * (1 - k / n) ** num_experts for k in range(n + 1))


def distinct_choices(num_classes: int, num_experts: int) -> float:
    """P[N independent uniform choices among M experts are distinct] (derived).

    >>> round(distinct_choices(4, 16), 3)
    0.667
    """
    return float(perm(num_experts, num_classes) / num_experts**num_classes)


def unequal_coupons(probabilities: Sequence[float], num_draws: int) -> float:
    """P[M independent draws hit each of N classes], class n with probability p_n (derived).

    Inclusion and exclusion over the sets of classes that nobody draws; probabilities may sum to
    less than 1, and the rest is a draw of none of them.

    >>> round(unequal_coupons([0.25] * 4, 16), 3)
    0.96
    >>> round(unequal_coupons([0.7, 0.3], 2), 2)
    0.42
    """
    return sum(
        (-1) ** k * (1.0 - sum(missed)) ** num_draws
        for k in range(len(probabilities) + 1)
        for missed in combinations(probabilities, k)
    )
