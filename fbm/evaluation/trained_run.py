"""A finished run in Python: its results, and its network applied to any video. See `fbm.load`."""

from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from fbm.data.decoding.video import Decoder
from fbm.evaluation.extract.clip_function import ClipFunction, chosen_device
from fbm.evaluation.extract.network import Network, network_of
from fbm.evaluation.extract.options import Options
from fbm.evaluation.extract.rows import rows_of
from fbm.evaluation.finished import read_results
from fbm.evaluation.trained import trained_task
from fbm.models.disentangler import Disentangler
from fbm.models.encoder import Encoder
from fbm.models.layers import to_pixels
from fbm.runs.checkpoints import encoder_of, read_checkpoint
from fbm.runs.locate import find_checkpoint
from fbm.tasks.classify import Classify
from fbm.tasks.task import PretrainingTask
from fbm.utils.errors import UserError


class ReconstructedClips(NamedTuple):
    """What a disentangling network makes of a video's N clips, beside their frames; all uint8 RGB.

    Attributes:
        first_foreground, first_background, last_foreground: `N H W 3`; what is masked out is mid grey.
        frames: `N T H W 3`, the clips as the network saw them.
        starts: int64 `N`, the first frame of each clip in the video.
    """

    first_foreground: np.ndarray
    first_background: np.ndarray
    last_foreground: np.ndarray
    frames: np.ndarray
    starts: np.ndarray


class TrainedRun:
    """A finished run: its results, and its network applied to videos.

    A video is a path, or frames uint8 `T H W 3`, RGB, of any height and width: an array, a tensor or a list of frames.
    Files are decoded in this process; for many, or for damaged ones, see `fbm extract` and `fbm predict`.

    Attributes:
        path: the run folder, or the exported folder or `hf://USER/NAME`, as it was given.
        summary: see `RunSummary`.
        device: that its network is on.
    """

    def __init__(self, path: str | Path, device: str = "auto") -> None:
        """UserError: `path` is no finished run, or the device is missing."""
        self.path = Path(path)
        self.summary = read_results(self.path)
        self.device = chosen_device(device)
        self._networks: dict[Options, Network] = {}

    def __repr__(self) -> str:
        return f"TrainedRun({str(self.path)!r})"

    @property
    def metrics(self) -> dict[str, float | None]:
        """Results by name: of the best epoch, and `test/...` of its test."""
        return self.summary.metrics

    @property
    def classes(self) -> list[str]:
        """Names of the classes in label order; empty for unlabelled data."""
        return self.summary.classes

    @property
    def checkpoint(self) -> Path:
        """The file with the best epoch's weights. UserError where it is gone."""
        return find_checkpoint(self.path)

    @property
    def config(self) -> dict[str, Any]:
        """The resolved config. UserError where the checkpoint is damaged or carries none."""
        found: dict[str, Any] = self._content["fbm"]["config"]
        return found

    @cached_property
    def encoder(self) -> Encoder:
        """The trained encoder, in evaluation mode on its device. UserError where it cannot be made."""
        return encoder_of(self._content, str(self.path)).to(self.device)

    def features(
        self,
        video: Any,
        *,
        part: str = "all",
        pool: str = "mean",
        stride: int | None = None,
        decoder: Decoder = "pyav",
    ) -> np.ndarray:
        """Features of a video's clips, float32 `N D`, as `fbm extract` makes them.

        Args:
            part: "all" channels, or after pretraining with task=disentangle "motion", "foreground" or "background".
            pool: "mean" over positions, or "none": all C*h*w values.
            stride: frames between the starts of two clips; None takes the frames from a clip's first to its last.
            decoder: of a path.

        Raises:
            UserError: the video cannot be read or is shorter than a clip, or the network has no such part.
        """
        if part == "each":
            raise UserError('part="each" is of `fbm extract`: ask for one part at a time')
        options = Options(stride=stride, part=part, pool=pool)
        if options not in self._networks:
            self._networks[options] = network_of(self.encoder, self._content["fbm"], self.path, options)
        network = self._networks[options]
        rows = rows_of(
            video, network.features, self.encoder.frame_size, self.encoder.span, network.about["stride"], decoder
        )
        return rows.features

    def predict(self, video: Any, *, decoder: Decoder = "pyav") -> dict[str, float]:
        """Class names with their probabilities, the most probable first.

        It is the mean of the softmax over the video's clips, by which the test counts `video_top1`: the middle of
        every whole chunk.

        Raises:
            UserError: the run is no classification, or the video cannot be read or is shorter than a chunk.
        """
        classifier = self.classifier
        compute, size, chunk = classifier.function, classifier.size, classifier.chunk
        return ranked(rows_of(video, compute, size, chunk, chunk, decoder).features, self.classes)

    @cached_property
    def classifier(self) -> "ClipClassifier":
        """The probabilities of the classes for each chunk of a video. UserError unless it is a classification."""
        task = self.task(Classify, "it knows no classes; predict takes runs of task=classify")
        return ClipClassifier(task, self.config["data"]["chunk_frames"], self.device)

    def reconstruct(self, video: Any, *, stride: int | None = None, decoder: Decoder = "pyav") -> ReconstructedClips:
        """The first foreground, the first background and the last foreground of every clip of a video.

        Args:
            stride: frames between the starts of two clips; None takes the frames from a clip's first to its last.
            decoder: of a path.

        Raises:
            UserError: the run is not of task=disentangle, or the video cannot be read or is shorter than a clip.
        """
        network = self._disentangler
        encoder = self.encoder

        def pictures(clips: Tensor) -> Tensor:  # B 3 + T H W 3
            made = torch.stack(network(clips).reconstruction, 1).permute(0, 1, 3, 4, 2)
            return to_pixels(torch.cat([made, clips.permute(0, 2, 3, 4, 1)], 1))

        compute = ClipFunction(pictures, self.device, encoder.size, encoder.frame_interval)
        rows = rows_of(
            video, compute, encoder.frame_size, encoder.span, encoder.span if stride is None else stride, decoder
        )
        first, background, last = (rows.features[:, at] for at in range(3))
        return ReconstructedClips(first, background, last, rows.features[:, 3:], rows.starts)

    @cached_property
    def _disentangler(self) -> Disentangler:
        need = "it makes no foregrounds; reconstruct takes runs of task=disentangle"
        network = self.task(PretrainingTask, need).network
        if not isinstance(network, Disentangler):
            raise UserError(f"{self.path} is of task={self.summary.task}: {need}")
        return network

    def task(self, kind: type[Any], need: str) -> Any:
        """A new task of this kind with the trained network, in evaluation mode on its device.

        Args:
            need: what is said of a run of another kind.

        Raises:
            UserError: the run is of another kind, or the task cannot be made from what the checkpoint carries.
        """
        return trained_task(self._content, self.summary, str(self.path), kind, need).to(self.device)

    @cached_property
    def _content(self) -> dict[str, Any]:
        content = read_checkpoint(self.path)
        if not isinstance(content["fbm"].get("config"), dict):
            raise UserError(f"{self.path}: its checkpoint carries no config; train it again with this fbm")
        return content


class ClipClassifier:
    """A trained classifier as a function of chunks: of each, it classifies the middle clip, as the test does.

    Args:
        task: trained, in evaluation mode, on its device.
        chunk: frames of a chunk, at least a clip's.

    Attributes:
        function: maps B chunks, uint8 `chunk H W 3` each, to probabilities float32 `B classes`.
        size: of the frames of chunks, pixels.
    """

    def __init__(self, task: Classify, chunk: int, device: torch.device) -> None:
        self.size = task.encoder.frame_size
        self.chunk = chunk
        span, interval = task.encoder.span, task.encoder.frame_interval
        start = (chunk - span) // 2

        def probabilities(chunks: Tensor) -> Tensor:
            logits: Tensor = task.network(chunks[:, :, start : start + span : interval])
            return logits.softmax(1)

        self.function = ClipFunction(probabilities, device, task.encoder.size)


def ranked(probabilities: np.ndarray, classes: list[str]) -> dict[str, float]:
    """The mean of `clips classes` over the clips, by class, the most probable first."""
    mean = probabilities.mean(0)
    return {classes[at]: float(mean[at]) for at in np.argsort(-mean, kind="stable")}
