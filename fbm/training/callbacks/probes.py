"""How much of the class the features tell, while an encoder is pretrained without any label."""

import pytorch_lightning as pl

from fbm.data.clips import ClipDataset, evenly_spaced
from fbm.evaluation.probing.features import features, labels_of, rows
from fbm.evaluation.probing.fit import Labelled, linear, neighbours
from fbm.tasks.task import PretrainingTask
from fbm.training.callbacks.clip_data import clip_data
from fbm.utils.errors import UserError

KNN, LINEAR = "val/knn_top1", "val/linear_top1"


class OnlineProbes(pl.Callback):
    """Logs `val/knn_top1` and `val/linear_top1` of pretraining: the class of validation clips from frozen features.

    Both probes are fitted on training clips, middle windows in evaluation mode, and teach the encoder nothing. The
    first rank measures for all. An epoch that is not measured has none. Clips without a label are left out. Nothing is
    measured without validation clips, with a single class, or where a task is not pretraining.

    Args:
        every: epochs between two measurements; the first and the last epoch have one.
        clips: of training and of validation that are used at most, spread evenly over each.
        neighbours: of a clip that vote.
    """

    def __init__(self, every: int, clips: int, neighbours: int) -> None:
        if every < 1 or clips < 2 or neighbours < 1:
            raise UserError(
                f"callbacks.probes: every={every} and neighbours={neighbours} must be at least 1, clips={clips} at "
                "least 2"
            )
        self.every, self.clips, self.neighbours = every, clips, neighbours

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for name in (KNN, LINEAR):  # an earlier epoch's would pass for this one's in the checkpoint
            trainer.callback_metrics.pop(name, None)
        data = clip_data(trainer)
        if not (isinstance(pl_module, PretrainingTask) and data and self._due(trainer)):
            return
        train, val = data.clips["train"].labelled, data.clips["val"].labelled
        measured = self._measure(pl_module, train, val) if trainer.is_global_zero else {}
        for name, value in trainer.strategy.broadcast(measured).items():
            pl_module.log(name, value, sync_dist=True)  # the same everywhere: says so to Lightning

    def _due(self, trainer: pl.Trainer) -> bool:
        epoch = trainer.current_epoch
        return not trainer.sanity_checking and (epoch % self.every == 0 or epoch + 1 == trainer.max_epochs)

    def _measure(self, task: PretrainingTask, train: ClipDataset, val: ClipDataset) -> dict[str, float]:
        chosen = evenly_spaced(len(train), self.clips)
        answers = labels_of(train, chosen)
        if not len(val) or len(set(answers)) < 2:
            return {}
        known = Labelled(rows(features(task.encoder, train, chosen)), answers)
        chosen = evenly_spaced(len(val), self.clips)
        asked = Labelled(rows(features(task.encoder, val, chosen)), labels_of(val, chosen))
        return {KNN: neighbours(known, self.neighbours).score(*asked), LINEAR: linear(known).score(*asked)}
