"""Ordinary least squares by gradient descent: the example problem of benchopt's template."""

import numpy as np

from motsim import KindSettings, Result, result_of_losses

EPSILONS = np.logspace(-1, -6, 16)


class Settings(KindSettings):
    """One run."""

    seed: int = 0
    n_samples: int = 100
    n_features: int = 50
    learning_rate: float = 0.5
    decay: bool = False
    steps: int = 5000


def run(settings: Settings) -> Result:
    """Descend from 0; the loss is the gap to the least value, over the first gap."""
    s = settings
    rng = np.random.default_rng(s.seed)
    X, y = rng.standard_normal((s.n_samples, s.n_features)), rng.standard_normal(s.n_samples)
    beta, best = np.zeros(s.n_features), np.linalg.lstsq(X, y, rcond=None)[0]
    L, gaps = np.linalg.norm(X, ord=2) ** 2, []
    for k in range(1, s.steps + 1):
        gaps.append(np.sum((X @ (beta - best)) ** 2) / 2)
        gradient = X.T @ (X @ beta - y)
        if gaps[-1] <= EPSILONS[-1] * gaps[0]:
            break
        beta -= s.learning_rate / L / (k if s.decay else 1) * gradient
    losses = np.array(gaps) / gaps[0]
    return result_of_losses(losses, EPSILONS, grad_norm=np.linalg.norm(gradient))
