"""The fit of triangular rows is the nearest interpolator of the same rows as a matrix."""

import numpy as np
import pytest

import motsim.rehearsal.kernels as kernels
from motsim.rehearsal.problem import Rehearsal
from motsim.rehearsal.simulation import simulate_errors
from motsim.rehearsal.triangular import triangular_fit


@pytest.mark.parametrize(("size", "head"), [(1, 1), (1, 5), (7, 3), (40, 4), (90, 3), (5, 9)])
def test_fit_is_the_least_norm_solution(size, head):
    rng = np.random.default_rng(size)
    across = rng.standard_normal((size, head))
    below = np.tril(rng.standard_normal((size, size)), -1)
    lengths = np.sqrt(rng.chisquare(200, size))
    drawn = np.concatenate([np.append(across[i], below[i, :i]) for i in range(size)])
    labels = rng.standard_normal(size)
    step = np.empty(head)
    scratch = np.empty((head, size + 2)), np.empty((size + 2, size + 2))
    rest = triangular_fit(drawn, lengths, labels.copy(), step, *scratch)
    inputs = np.hstack([across, below + np.diag(lengths)])
    want = np.linalg.lstsq(inputs, labels, rcond=None)[0]
    np.testing.assert_allclose(step, want[:head], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(rest, (want[head:] ** 2).sum(), rtol=1e-9)
    # Negative control: another length on the diagonal is another fit.
    other = np.empty(head)
    triangular_fit(drawn, lengths * 1.01, labels.copy(), other, *scratch)
    assert np.abs(other - step).max() > 1e-6 * np.abs(step).max()


def test_both_forms_of_a_fit_give_the_same_runs(monkeypatch):
    tasks = np.eye(2, 60)
    call = (tasks, 25, 20, 0.3, "concurrent")  # 25 and 45 rows, 3 columns beside the triangle
    got = simulate_errors(Rehearsal(*call), repetitions=20, method="reduced")
    assert kernels.FLAT * 3 <= 25
    plain = kernels.run_reduced.py_func

    def as_matrix(*arguments):
        monkeypatch.setattr(kernels, "FLAT", 1000)
        plain(*arguments)

    monkeypatch.setattr(kernels, "run_reduced", as_matrix)
    want = simulate_errors(Rehearsal(*call), repetitions=20, method="reduced")
    np.testing.assert_allclose(got.errors, want.errors, rtol=1e-10)


def test_the_triangle_serves_fits_of_many_rows_only(monkeypatch):
    """Both forms give the same numbers, so which one ran has to be looked at."""
    sizes, fit = [], kernels.triangular_fit

    def watched(drawn, lengths, *rest):
        sizes.append(len(lengths))
        return fit(drawn, lengths, *rest)

    monkeypatch.setattr(kernels, "triangular_fit", watched)
    monkeypatch.setattr(kernels, "run_reduced", kernels.run_reduced.py_func)
    limit = 3 * kernels.FLAT  # two tasks and the rest of w: 3 columns beside the triangle
    simulate_errors(
        Rehearsal(np.eye(2, 60), limit - 1, 1, 0.3, "concurrent"), repetitions=3, method="reduced"
    )
    assert sizes == [limit] * 3  # of the fits of limit - 1 and limit rows, only the second
