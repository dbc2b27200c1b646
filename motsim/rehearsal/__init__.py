"""Rehearsal in overparameterized linear models: closed forms, simulation, crossover, planning.

Setting of arXiv:2506.00205; the mathematics is in docs/rehearsal.md. Numba is imported only when a
simulation or a plan runs.
"""

from motsim.rehearsal.crossover import Crossover, find_crossover, two_task_distance
from motsim.rehearsal.geometry import (
    TaskGeometry,
    clustered_tasks,
    equicorrelated_tasks,
    geometry_from_gram,
)
from motsim.rehearsal.moments import ErrorVariances, expected_variances
from motsim.rehearsal.phases import memory_phases, ratio_phases, threshold_table
from motsim.rehearsal.planning import OptimalSchedule, optimal_schedule
from motsim.rehearsal.problem import Rehearsal
from motsim.rehearsal.records import RehearsalErrors, SimulatedErrors
from motsim.rehearsal.schedules import (
    Schedule,
    concurrent_schedule,
    hybrid_schedule,
    sequential_schedule,
)
from motsim.rehearsal.simulation import simulate_errors
from motsim.rehearsal.theory import expected_errors
from motsim.rehearsal.variance import VarianceEstimate, single_task_variance, variance_interval

__all__ = [
    "Crossover",
    "ErrorVariances",
    "OptimalSchedule",
    "Rehearsal",
    "RehearsalErrors",
    "Schedule",
    "SimulatedErrors",
    "TaskGeometry",
    "VarianceEstimate",
    "clustered_tasks",
    "concurrent_schedule",
    "equicorrelated_tasks",
    "expected_errors",
    "expected_variances",
    "find_crossover",
    "geometry_from_gram",
    "hybrid_schedule",
    "memory_phases",
    "optimal_schedule",
    "ratio_phases",
    "sequential_schedule",
    "simulate_errors",
    "single_task_variance",
    "threshold_table",
    "two_task_distance",
    "variance_interval",
]
