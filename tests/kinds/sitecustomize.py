"""Loaded by every Python that has this folder on its path: motsim finds the kinds here too."""

from pathlib import Path

import motsim.experiments

motsim.experiments.__path__.append(str(Path(__file__).parent))
