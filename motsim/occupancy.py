"""Independent draws among equals: the chance that they hit all, or that they are distinct."""

from math import comb, perm

__all__ = ["coupon_collector", "distinct_choices"]


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
