"""The sweeper behind `sweeper=optuna`. Hydra takes plugins from this namespace alone, and imports it at its start."""

from collections.abc import Sequence
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class OptunaSweeper(Sweeper):
    """Hydra's side of a search, see `fbm.config.search.Search`, which gets the arguments."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.folder = config.hydra.sweep.dir
        self.jobs = Plugins.instance().instantiate_launcher(
            config=config, hydra_context=hydra_context, task_function=task_function
        )

    def sweep(self, arguments: Sequence[str]) -> None:
        from pathlib import Path

        from fbm.config.search import Search

        Search(self.jobs.launch, Path(self.folder), **self.settings).run(arguments)
