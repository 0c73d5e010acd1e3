"""Disentanglement scores for features whose parts are vectors. NumPy alone: `import fbm.scores` loads no torch.

Definitions, formula by formula, and an example of ten lines: docs/scores.md.
"""

from fbm.scores.information import dynamic_share, gaussian_information, usable_information
from fbm.scores.similarity import linear_cka
from fbm.scores.table import (
    above_chance,
    completeness,
    completeness_of_factors,
    diagonality,
    disentanglement,
    disentanglement_of_parts,
    gap,
    informativeness,
    leakage,
    modularity,
)

__all__ = [
    "above_chance",
    "completeness",
    "completeness_of_factors",
    "diagonality",
    "disentanglement",
    "disentanglement_of_parts",
    "dynamic_share",
    "gap",
    "gaussian_information",
    "informativeness",
    "leakage",
    "linear_cka",
    "modularity",
    "usable_information",
]
