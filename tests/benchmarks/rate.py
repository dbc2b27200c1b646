"""Multiplications and additions of a step with frozen attention, against the rate of dgemm.

Of the exact mathematics in r coordinates (r: dimension of the span of tokens and class signals),
with M experts of J neurons, L tokens, B points and rows R = M J, in multiply-adds:

    t = W X, the inputs of all neurons          R r L B
    u_l = sum_k P_kl t_k, averages over tokens  R L^2 B   (none where all experts share z)
    f = sum of u^3, and its slope 3 c u^2       4 R L B
    the transpose of the averages               R L^2 B   (same)
    gradient by W                               R r L B
    logits and their gradient by the gate       2 M r B

Where L > 3 a point of the population and its mirror share the products and the averages
(docs/theory.md §3), so these are of B / 2 points: what is done is counted, not what it replaces.
A multiply-add counts as two operations. The softmax of the gate and the losses, O(M B) with some
exponentials, are not counted. The rate of np.dot is taken at the shapes of the first line,
(R x r) by (r x L B), on one thread.
"""

from machine import dgemm_rate


def multiply_adds(experts, neurons, coordinates, length, points, *, shared):
    """Of one step; `shared`: one z serves all experts."""
    rows = experts * neurons
    own = points / 2 if length > 3 else points
    products = 2 * rows * coordinates * length * own
    averages = 0 if shared else 2 * rows * length**2 * own
    rest = 4 * rows * length * points + 2 * experts * coordinates * points
    return products + averages + rest


def fraction_of_dgemm(sizes, seconds, *, shared):
    """Achieved rate and dgemm's, operations a second; `sizes` is (M, J, r, L, B)."""
    experts, neurons, coordinates, length, points = sizes
    achieved = 2.0 * multiply_adds(*sizes, shared=shared) / seconds
    return achieved, dgemm_rate(experts * neurons, coordinates, length * points)
