"""Eight lanes: the exponential to the last digits, and what each operation does with each lane."""

import numba
import numpy as np
import pytest

from motsim.vectors.addresses import (
    advance,
    load,
    load_broadcast,
    load_scalar,
    pointer,
    prefetch,
    store,
    store_scalar,
    two,
)
from motsim.vectors.arithmetic import exp, exp_nonpositive
from motsim.vectors.lanes import (
    WIDTH,
    any_at_least,
    broadcast,
    broadcast_like,
    fma,
    reduce_add,
    select_any,
    select_equal,
    select_greater,
    sum_fma,
)


@numba.njit(error_model="numpy")
def one_at_a_time(values, out):
    for a in range(len(values)):
        out[a] = exp(values[a])


@numba.njit(error_model="numpy")
def eight_at_a_time(values, out):
    for a in range(0, len(values), WIDTH):
        store(pointer(out), a, exp_nonpositive(load(pointer(values), a)))


def exponential_of(kernel, values):
    values = np.atleast_1d(np.asarray(values, dtype=float))
    filled = np.concatenate([values, np.zeros(-len(values) % WIDTH)])
    out = np.full_like(filled, np.nan)
    kernel(filled, out)
    return out[: len(values)]


#: Of eight at a time, only what is not positive is ever asked for.
both = pytest.mark.parametrize(
    ("kernel", "most"), [(one_at_a_time, 709.0), (eight_at_a_time, 0.0)], ids=["scalar", "lanes"]
)


@both
def test_exponential_is_within_two_units_in_the_last_place(kernel, most):
    rng = np.random.default_rng(0)
    x = np.concatenate(
        [
            np.linspace(-708.0, 709.0, 200_001),
            rng.uniform(-708.0, 709.0, 200_000),
            np.log(2.0) * (np.arange(-1020, 1023) + 0.5),  # where the shift changes
            rng.uniform(-1e-8, 1e-8, 1000),
            [0.0, -0.0, 5e-324, -5e-324, -708.0, 709.0],
        ]
    )
    x = x[x <= most]
    units = np.abs(exponential_of(kernel, x).view(np.int64) - np.exp(x).view(np.int64))
    assert units.max() <= 2, x[units.argmax()]
    assert exponential_of(kernel, 0.0)[0] == 1.0
    # Negative control: a wrong last digit of x is far more than two units.
    wrong = exponential_of(kernel, np.nextafter(-500.0, -501)).view(np.int64)
    assert np.abs(wrong - np.exp([-500.0]).view(np.int64)) > 2


@both
def test_exponential_of_the_edges(kernel, most):
    small = [-np.inf, -1e300, -708.1, -745.0, np.nextafter(-708.0, -709.0)]
    np.testing.assert_array_equal(exponential_of(kernel, small), 0.0)
    if most > 0.0:
        np.testing.assert_array_equal(exponential_of(kernel, [np.inf, 710.0, 1e300]), np.inf)
    got = exponential_of(kernel, [-708.0, most])
    np.testing.assert_allclose(got, np.exp([-708.0, most]), rtol=4e-16)
    with np.errstate(invalid="ignore"):
        made = np.float64(np.inf) - np.float64(np.inf)  # as kernels come by one
    got = exponential_of(kernel, [np.nan, -1.0, -np.nan, made])
    assert np.isnan(got).tolist() == [True, False, True, True]


def test_exponential_of_a_lane_does_not_depend_on_its_neighbors():
    values = np.array([np.nan, -1.0, -np.inf, -700.0, 0.0, -3.0, -1e5, -0.25])
    together = exponential_of(eight_at_a_time, values)
    alone = [exponential_of(eight_at_a_time, np.full(WIDTH, v))[0] for v in values]
    np.testing.assert_array_equal(together, alone)


# --- operations -----------------------------------------------------------------------------------


@numba.njit(error_model="numpy")
def operations(a, b, c, out):
    x, y, z = load(pointer(a), 0), load(pointer(b), 0), load(pointer(c), 0)
    to = pointer(out)
    store(to, 0, x + y)
    store(to, 8, x - y)
    store(to, 16, x * y)
    store(to, 24, x / y)
    store(to, 32, fma(x, y, z))
    store(to, 40, select_greater(x, y, x, z))
    store(to, 48, select_equal(x, y, x, z))


def test_operations_are_those_of_numpy_lane_by_lane():
    rng = np.random.default_rng(1)
    for _ in range(20):
        a, b, c = rng.integers(-2, 3, (3, WIDTH)) + 0.1 * rng.integers(0, 2, (3, WIDTH))
        a[3], b[5] = np.nan, np.nan
        b[0] = a[0]
        out = np.full((7, WIDTH), 9.0)
        operations(a, b, c, out)
        with np.errstate(divide="ignore", invalid="ignore"):
            want = [a + b, a - b, a * b, a / b]
        np.testing.assert_array_equal(out[:4], want)
        np.testing.assert_allclose(out[4], a * b + c, rtol=1e-15, atol=1e-15)
        # A comparison with NaN holds nowhere.
        want = [np.where(a > b, a, c), np.where(a == b, a, c)]
        np.testing.assert_array_equal(out[5:], want)


def test_fma_rounds_once():
    tiny = 2.0**-30
    a = np.full(WIDTH, 1.0 + tiny)
    out = np.empty((7, WIDTH))
    operations(a, a, -(a * a), out)
    np.testing.assert_array_equal(out[4], tiny * tiny)  # what rounding a * a took away


@numba.njit(error_model="numpy")
def addresses(values, out):
    place = advance(pointer(values), 3)
    store(pointer(out), 0, load(place, 2))
    store(pointer(out), 8, load_broadcast(place, -1))
    store(pointer(out), 16, broadcast(load_scalar(place, 1)))
    store_scalar(advance(pointer(out), 20), 3, 77.0)


def test_addresses_count_in_numbers():
    values = np.arange(100.0, 120.0)  # load needs no alignment: it starts at 5
    out = np.zeros(24)
    addresses(values, out)
    want = np.concatenate([values[5:13], np.full(8, values[2]), np.full(8, values[4])])
    want[23] = 77.0
    np.testing.assert_array_equal(out, want)


@numba.njit(error_model="numpy")
def widened_and_rounded(values, singles, out):
    store(pointer(singles), 3, load(pointer(values), 0))
    store(two(pointer(singles), 8), 16, load(two(pointer(values), 8), 8))
    store(pointer(out), 0, load(pointer(singles), 3))
    store(two(pointer(out), 8), 8, load(two(pointer(singles), 8), 16))


def test_numbers_in_single_precision_are_rounded_once_and_widened():
    """Also what is too small or large, and at addresses that are multiples of 4 bytes alone."""
    rng = np.random.default_rng(3)
    values = rng.standard_normal(24) * 10.0 ** rng.integers(-40, 39, 24)
    values[:6] = np.nan, np.inf, -0.0, 1e-46, 1e300, 1.0 + 2.0**-24
    singles, out = np.zeros(32, dtype=np.float32), np.zeros(24)
    widened_and_rounded(values, singles, out)
    with np.errstate(over="ignore"):
        want = values.astype(np.float32)
    np.testing.assert_array_equal(out, want.astype(float))
    np.testing.assert_array_equal(singles[3:11], want[:8])
    np.testing.assert_array_equal(singles[16:], want[8:])


@numba.njit(error_model="numpy")
def asked_for(values, count):
    prefetch(pointer(values), count)
    return load_scalar(pointer(values), 0)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_to_ask_for_numbers_changes_none(kind):
    values = np.arange(1.0, 101.0).astype(kind)
    for count in (0, 1, 16, 100):
        assert asked_for(values, count) == 1.0
    np.testing.assert_array_equal(values, np.arange(1.0, 101.0))


@numba.njit(error_model="numpy")
def total_of(values):
    return reduce_add(load(pointer(values), 0))


def test_total_has_a_fixed_order():
    rng = np.random.default_rng(2)
    differs = 0
    for _ in range(200):
        x = rng.standard_normal(WIDTH) * 10.0 ** rng.integers(-8, 9, WIDTH)
        want = ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7]))
        assert total_of(x) == want
        differs += want != sum(x.tolist())
    assert differs > 20  # negative control: another order gives other bits


@numba.njit(error_model="numpy")
def any_of(a, b):
    return any_at_least(load(pointer(a), 0), broadcast(b))


def test_any_at_least():
    values = np.full(WIDTH, 0.1)
    assert not any_of(values, 0.2)
    assert any_of(values, 0.1)
    for lane in range(WIDTH):
        for one in (0.2, 0.3, np.inf, np.nan):  # a block with NaN is not passed over
            other = values.copy()
            other[lane] = one
            assert any_of(other, 0.2)
        other[lane] = -np.inf
        assert not any_of(other, 0.2)


# --- two blocks together --------------------------------------------------------------------------


@numba.njit(error_model="numpy")
def of_two_blocks(values, out):
    """What `of_one_block` does with each, of two at once; rows of `values` are x, y, z."""
    x, y, z = pointer(values), advance(pointer(values), 16), advance(pointer(values), 32)
    combine(two(x, 8), two(y, 8), two(z, 8), two(pointer(out), 48))


@numba.njit(error_model="numpy")
def of_one_block(values, block, out):
    place = advance(pointer(values), 8 * block)
    to = advance(pointer(out), 48 * block)
    combine(place, advance(place, 16), advance(place, 32), to)


@numba.njit(error_model="numpy")
def combine(at_x, at_y, at_z, to):
    x, y, z = load(at_x, 0), load(at_y, 0), load(at_z, 0)
    store(to, 0, fma(x, y, z) / (x - y * z))
    store(to, 8, select_greater(x, y, exp_nonpositive(x), broadcast(2.0)))
    store(to, 16, select_equal(x, broadcast_like(0.5, x), y, z))
    store(to, 24, select_any(x, broadcast(1.5), y))
    store(to, 32, broadcast(7.0))
    store(to, 40, broadcast_like(1.0 if any_at_least(x, broadcast(1.5)) else 0.0, x))


def test_two_blocks_are_each_what_one_is():
    rng = np.random.default_rng(3)
    for high in ((False, False), (False, True), (True, False), (True, True)):
        values = rng.uniform(-3.0, 1.4, (3, 2, WIDTH))
        values[0, 0, 1] = 0.5
        values[0, :, 2] = np.where(high, 1.6, values[0, :, 2])
        together, alone = np.zeros((2, 2, 6, WIDTH))
        of_two_blocks(values.reshape(3, -1), together)
        for block in range(2):
            of_one_block(values.reshape(3, -1), block, alone)
            assert (alone[block, 3] == (values[1, block] if high[block] else 0.0)).all()
        np.testing.assert_array_equal(together[:, :5], alone[:, :5])
        assert (alone[:, 5, 0] == high).all()
        assert (together[:, 5] == any(high)).all()  # whether anywhere in both


@numba.njit(error_model="numpy")
def sum_of_two(values, apart, out):
    place, by = pointer(values), advance(pointer(values), 2 * apart)
    store(
        pointer(out),
        0,
        sum_fma(load(two(place, apart), 0), load(two(by, apart), 0), broadcast(1.0)),
    )


def test_the_second_block_is_added_after_the_first():
    """Rounded each time: 1 + 2^-53 is 1, and (1 + 2^-52) + 2^-53 is 1 + 2^-51."""
    for products, want in (((-53, -52), 1.0 + 2.0**-52), ((-52, -53), 1.0 + 2.0**-51)):
        values, out = np.ones((2, 2, WIDTH)), np.zeros(WIDTH)
        values[1] = 2.0 ** np.array(products)[:, np.newaxis]
        sum_of_two(values.reshape(-1), WIDTH, out)
        np.testing.assert_array_equal(out, want)
