"""Exponentials that are the same bits on every machine, of one number and of eight; and softmax."""

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from motsim.vectors.addresses import load, store
from motsim.vectors.lanes import WIDTH, broadcast, fma, inlined, select_greater, written_out

LOG2_E = 1.4426950408889634
LN2_HIGH = 6.93147180369123816490e-01
LN2_LOW = 1.90821492927058770002e-10


@intrinsic
def fused_multiply_add(typing_context, a, b, c):
    """a * b + c with one rounding, whatever the processor."""

    def codegen(context, builder, signature, args):
        return builder.fma(*args)

    return types.float64(types.float64, types.float64, types.float64), codegen


@intrinsic
def float_from_bits(typing_context, bits):
    """The float64 whose bit pattern is the given int64."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), codegen


@written_out
def exp(x):
    """e^x to about 1 ulp for x <= 709; exactly 0 below -708; NaN and +inf pass through.

    x = k ln 2 + t with |t| <= ln 2 / 2, then a Taylor polynomial of degree 13 (its remainder is
    below 5e-18) and a shift of the exponent by k.
    """
    clipped = min(max(x, -708.0), 709.0)
    k = int(clipped * LOG2_E + 1024.5) - 1024
    t = fused_multiply_add(float(-k), LN2_HIGH, clipped)
    t = fused_multiply_add(float(-k), LN2_LOW, t)
    p = 1.0 / 6227020800.0
    p = fused_multiply_add(p, t, 1.0 / 479001600.0)
    p = fused_multiply_add(p, t, 1.0 / 39916800.0)
    p = fused_multiply_add(p, t, 1.0 / 3628800.0)
    p = fused_multiply_add(p, t, 1.0 / 362880.0)
    p = fused_multiply_add(p, t, 1.0 / 40320.0)
    p = fused_multiply_add(p, t, 1.0 / 5040.0)
    p = fused_multiply_add(p, t, 1.0 / 720.0)
    p = fused_multiply_add(p, t, 1.0 / 120.0)
    p = fused_multiply_add(p, t, 1.0 / 24.0)
    p = fused_multiply_add(p, t, 1.0 / 6.0)
    p = fused_multiply_add(p, t, 0.5)
    p = fused_multiply_add(p, t, 1.0)
    p = fused_multiply_add(p, t, 1.0)
    value = p * float_from_bits((k + 1023) << 52)
    # NaN fails every comparison: let it, and +inf, through as themselves.
    if x < -708.0:
        value = 0.0
    if not x <= 709.0:
        value = x * 1e308
    return value


@intrinsic
def times_power_of_two(typing_context, value, shifted):
    """Value * 2^k, where k is in the low bits of `shifted` = 1.5 * 2^52 + k."""

    def codegen(context, builder, signature, args):
        kind, width = args[0].type, args[0].type.count
        bits = ir.VectorType(ir.IntType(64), width)
        value, shifted = (builder.bitcast(a, bits) for a in args)
        shift = ir.Constant(bits, [52] * width)
        return builder.bitcast(builder.add(value, builder.shl(shifted, shift)), kind)

    return value(value, shifted), codegen


# e^t = 1 + t + t^2 q(t) for |t| <= ln 2 / 2: Chebyshev interpolation of q, degree 9; the error is
# below 2e-17 (derived here).
Q9, Q8, Q7, Q6 = (
    2.510038549551032e-08,
    2.7620088445409746e-07,
    2.7557268459997064e-06,
    2.4801521295954376e-05,
)
Q5, Q4, Q3, Q2 = (
    0.00019841269863053618,
    0.0013888888917213717,
    0.008333333333330062,
    0.04166666666662413,
)
Q1, Q0 = 0.16666666666666669, 0.5000000000000001
SHIFT = 6755399441055744.0  # 1.5 * 2^52: adding it rounds to an integer, kept in the low bits


@inlined
def exp_nonpositive(x):
    """e^x to about 1 ulp for x <= 0, as softmax and losses need it; 0 below -708; NaN stays NaN."""
    low = broadcast(-708.0)
    clipped = select_greater(low, x, low, x)  # NaN is not below: it passes
    shifted = clipped * broadcast(LOG2_E) + broadcast(SHIFT)
    k = broadcast(SHIFT) - shifted
    t = fma(k, broadcast(LN2_HIGH), clipped)
    t = fma(k, broadcast(LN2_LOW), t)
    p = fma(broadcast(Q9), t, broadcast(Q8))
    p = fma(p, t, broadcast(Q7))
    p = fma(p, t, broadcast(Q6))
    p = fma(p, t, broadcast(Q5))
    p = fma(p, t, broadcast(Q4))
    p = fma(p, t, broadcast(Q3))
    p = fma(p, t, broadcast(Q2))
    p = fma(p, t, broadcast(Q1))
    p = fma(p, t, broadcast(Q0))
    p = fma(p * t, t, t) + broadcast(1.0)
    return select_greater(low, x, broadcast(0.0), times_power_of_two(p, shifted))


@inlined
def softmax_over_keys(scores, length, out):
    """Softmax of `length` scores."""
    top = load(scores, 0)
    for k in range(WIDTH, length * WIDTH, WIDTH):
        value = load(scores, k)
        top = select_greater(value, top, value, top)
    norm = broadcast(0.0)
    for k in range(0, length * WIDTH, WIDTH):
        value = exp_nonpositive(load(scores, k) - top)
        norm = norm + value
        store(out, k, value)
    norm = broadcast(1.0) / norm
    for k in range(0, length * WIDTH, WIDTH):
        store(out, k, load(out, k) * norm)
