"""MLflow, by default a store of files in the run folder, without a server."""

import os
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from fbm.config.keys import flatten
from fbm.runs.files import CONFIG, SUMMARY
from fbm.training.loggers.mirror import PARTIAL, FinishedRun, RunMirror, kinds, saved_run_id
from fbm.training.loggers.resumable import Row
from fbm.utils.errors import UserError
from fbm.utils.files import write_text

ID = "mlflow_id"
A_CALL, LONGEST = 100, 500  # limits of MLflow: parameters in one request, characters in one parameter


class MLflowLogger(RunMirror, Logger):
    """Metrics, the config as parameters, and as artifacts the pictures, `config.yaml` and `summary.json`.

    Lightning's own logger creates its store when it is built, even if a config is only checked.

    Args:
        folder: the run's; the MLflow run id is saved there.
        study: MLflow's experiment.
        run: MLflow's run name.
        uri: of a tracking server or another store; None is `folder`/mlflow.
        tags: beside the kinds of the run.
        carried: what the run's checkpoints carry.

    Raises:
        UserError: MLflow is not installed.
    """

    def __init__(
        self,
        folder: Path,
        study: str,
        run: str,
        uri: str | None = None,
        tags: Mapping[str, str] | None = None,
        carried: dict[str, Any] | None = None,
    ) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when imported
        try:
            import mlflow  # noqa: F401
        except ImportError as error:
            raise UserError("logger=mlflow needs MLflow: pip install fbm-video[mlflow]") from error
        super().__init__()
        self.folder, self.study, self.run = Path(folder), study, run
        self.uri = uri or (self.folder / "mlflow").resolve().as_uri()
        self.tags = {**kinds(carried or {}), **(tags or {})}
        self.logged: set[tuple[str, int]] = set()  # metrics and steps that an earlier process logged

    @cached_property
    def client(self) -> Any:
        """MLflow's client of the store."""
        from mlflow import MlflowClient

        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # its default is a database and a server
        return MlflowClient(self.uri)

    @cached_property
    def run_id(self) -> str:
        """The id of the MLflow run of this run folder; creates one if there is none."""
        run_id = saved_run_id(self.folder / ID)
        if run_id is None:
            experiment = self.client.get_experiment_by_name(self.study)
            number = experiment.experiment_id if experiment else self.client.create_experiment(self.study)
            run_id = str(self.client.create_run(number, tags=self.tags, run_name=self.run).info.run_id)
            write_text(self.folder / ID, f"{run_id}\n")
        return run_id

    @property
    def name(self) -> str:
        return self.study

    @property
    def version(self) -> str:
        return self.run

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        from mlflow.entities import Param

        content = flatten(vars(params) if isinstance(params, Namespace) else params)
        known = self.client.get_run(self.run_id).data.params  # it cannot change any
        entries = [Param(key, str(value)[:LONGEST]) for key, value in content.items() if key not in known]
        for start in range(0, len(entries), A_CALL):
            self.client.log_batch(self.run_id, params=entries[start : start + A_CALL])

    def log_row(self, metrics: Mapping[str, Any], step: int | None) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        missing = {key: value for key, value in metrics.items() if (key, step) not in self.logged}
        if missing:
            self.client.log_batch(
                self.run_id, metrics=[Metric(key, value, now, step or 0) for key, value in missing.items()]
            )

    def replay(self, rows: Sequence[Row]) -> None:
        """Log the missing rows. Later rows that an earlier process logged are not logged again: they are the same."""
        super().replay(rows)
        self.client.update_run(self.run_id, status="RUNNING")
        for key in self.client.get_run(self.run_id).data.metrics:
            self.logged |= {(key, metric.step) for metric in self.client.get_metric_history(self.run_id, key)}
        for row in rows:
            self.log_row(row.metrics, row.step)

    def log_run(self, run: FinishedRun) -> None:
        if run.summary.partial:
            self.client.set_tag(self.run_id, PARTIAL.replace(" ", "_"), "true")
        for picture in run.pictures:
            self.client.log_artifact(self.run_id, str(picture.path), "gallery")
        for name in (CONFIG, SUMMARY):
            self.client.log_artifact(self.run_id, str(run.folder / name))

    def close(self, failed: bool) -> None:
        if "run_id" in self.__dict__:  # it was created
            self.client.set_terminated(self.run_id, "FAILED" if failed else "FINISHED")
