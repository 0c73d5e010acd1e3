"""The settings of an analysis."""

from dataclasses import dataclass
from pathlib import Path

from fbm.utils.errors import UserError

RESAMPLES = 2000


@dataclass(frozen=True)
class Settings:
    """How to analyse.

    Args:
        resamples: of the bootstrap behind every interval.
        seed: of that resampling.
        store: where the frames are; None takes the store in a run's config.
        overwrite: repeat the analysis of runs that were analysed before.

    Raises:
        UserError: a number is out of range.
    """

    resamples: int = RESAMPLES
    seed: int = 0
    store: Path | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.resamples < 1 or self.seed < 0:
            raise UserError(f"--resamples {self.resamples} must be at least 1, --seed {self.seed} at least 0")
