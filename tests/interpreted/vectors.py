"""The vector language of the kernels in plain Python, for runs without compilation.

Importing this puts it in place of the compiled one: before anything that has kernels is imported,
and with NUMBA_DISABLE_JIT=1. Eight numbers are an array (8,), those of two blocks (2, 8). Nothing
is fused, so that results differ by rounding; an address outside its array is an error.
"""

import itertools

import numpy as np
from numba import config

from motsim.vectors import lanes

WIDTH = lanes.WIDTH
assert config.DISABLE_JIT


class Address:
    """A place in an array of any shape."""

    __slots__ = ("at", "numbers")

    def __init__(self, numbers, at=0):
        self.numbers, self.at = numbers, int(at)

    def span(self, offset, count):
        """Where `count` numbers from an offset are, all of them inside."""
        first = self.at + int(offset)
        if not 0 <= first <= self.numbers.size - count:
            raise IndexError(f"{count} numbers at {first} of {self.numbers.size}")
        return slice(first, first + count)


def pointer(array):
    assert array.flags.c_contiguous
    return Address(array.reshape(-1))


def advance(ptr, offset):
    if isinstance(ptr, tuple):
        return tuple(advance(one, offset) for one in ptr)
    return Address(ptr.numbers, ptr.at + offset)


def same_address(a, b):
    return a.numbers[a.at :].ctypes.data == b.numbers[b.at :].ctypes.data


def load_scalar(ptr, offset):
    return ptr.numbers[ptr.span(offset, 1)][0]


def store_scalar(ptr, offset, value):
    ptr.numbers[ptr.span(offset, 1)] = value


def load(ptr, offset):
    if isinstance(ptr, tuple):
        return np.stack([load(one, offset) for one in ptr])
    return ptr.numbers[ptr.span(offset, WIDTH)].astype(float)


def store(ptr, offset, value):
    if not isinstance(ptr, tuple):
        assert value.shape == (WIDTH,)
        ptr.numbers[ptr.span(offset, WIDTH)] = value
        return
    for one, part in zip(ptr, np.broadcast_to(value, (2, WIDTH)), strict=True):
        store(one, offset, part)


def prefetch(ptr, count):
    if count > 0:
        ptr.span(0, count)


def broadcast(value):
    return np.full(WIDTH, value, dtype=float)


def broadcast_like(value, other):
    return np.full(other.shape, value, dtype=float)


def select_greater(a, b, x, y):
    return np.where(a > b, x, y)


def select_equal(a, b, x, y):
    return np.where(a == b, x, y)


def fma(a, b, c):
    return a * b + c


def sum_fma(a, b, c):
    products = (a * b).reshape(-1, WIDTH)
    for one in products:
        c = c + one
    return c


def any_at_least(a, b):
    return bool((~(a < b)).any())


def select_any(a, b, x):
    return np.where((~(a < b)).any(axis=-1, keepdims=True), x, 0.0)


def reduce_add(a):
    while a.size > 1:
        a = a[: a.size // 2] + a[a.size // 2 :]
    return a[0]


def float_from_bits(bits):
    return float(np.array(bits, dtype=np.int64).view(np.float64))


def times_power_of_two(value, shifted):
    bits = value.view(np.int64) + (shifted.view(np.int64) << 52)
    return bits.view(np.float64)


_kernels, _numbers = {}, itertools.count(1)


def address_of(kernel, *arguments):
    """Any number by which `caller` finds the kernel."""
    address = next(_numbers)
    _kernels[address] = kernel
    return address


def caller(result):
    return lambda address, arguments: _kernels[address](*arguments)


def plain(function):
    """A kernel as it is; `py_func` is what numba calls that."""
    function.py_func = function
    return function


def _replace(module, *functions, **others):
    for function in functions:
        others[function.__name__] = function
    for name, value in others.items():
        assert hasattr(module, name)
        setattr(module, name, value)


_replace(
    lanes, broadcast, broadcast_like, select_greater, select_equal, select_any, any_at_least, fma,
    sum_fma, reduce_add, cached=plain, internal=plain, inlined=plain, written_out=plain,
)  # fmt: skip

from motsim.vectors import addresses  # noqa: E402  (made of what was put in place above)

_replace(
    addresses, pointer, advance, same_address, load_scalar, store_scalar, load, store, prefetch
)

from motsim.vectors import arithmetic, linking  # noqa: E402

_replace(arithmetic, float_from_bits, times_power_of_two, fused_multiply_add=fma)
_replace(linking, address_of, caller)
