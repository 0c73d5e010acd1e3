"""fbm: disentangling the foreground, background and motion features of videos."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # `import fbm` and `fbm --help` must not wait for torch
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    import torch

    from fbm.evaluation.trained_run import TrainedRun
    from fbm.models.encoder import Encoder

__version__ = "0.1.0"


def train(*overrides: str, config_dir: "str | Path | None" = None) -> "TrainedRun":
    """Train as `fbm train` does, in this process, and load the finished run.

    The same settings give the same run folder as on the command line: an interrupted run resumes, a finished one is
    not repeated.

    Args:
        overrides: settings of one run, each `KEY=VALUE` as on the command line, without a shell's quotes.
        config_dir: a folder of your own config files, as `--config-dir`.

    Raises:
        UserError: the settings, the data or a checkpoint do not allow it.
        KeyboardInterrupt: it was interrupted, and its state is saved.

    >>> import fbm
    >>> run = fbm.train("task=disentangle", "data=demo", "trainer.max_epochs=2")
    >>> run.metrics["val/loss"] > 0
    True
    """
    from pathlib import Path

    from fbm.training.in_process import train_here

    return load(train_here(overrides, None if config_dir is None else Path(config_dir)))


def load(path: "str | Path", device: str = "auto") -> "TrainedRun":
    """A finished run: its results, and its network for any video.

    `.features(video)` are its encoder's, `.predict(video)` the probabilities of the classes, and
    `.reconstruct(video)` the pictures of a disentangling network; see `fbm.evaluation.trained_run.TrainedRun`.

    Args:
        path: a run folder, a folder that `fbm export` wrote, or `hf://USER/NAME`, one on the Hugging Face Hub.
        device: "auto" takes a GPU where there is one, "cpu" or "cuda".

    Raises:
        UserError: there is no finished run, or no such device.
    """
    from fbm.evaluation.trained_run import TrainedRun

    return TrainedRun(path, device)


def load_encoder(path: "str | Path", map_location: "str | torch.device" = "cpu") -> "Encoder":
    """The trained encoder of a checkpoint, in eval mode, to be used in any program.

    It takes clips `B 3 T H W`, float in [-1, 1], RGB, with T = `encoder.frames` consecutive frames of H = W =
    `encoder.size` pixels, and refuses any other shape or scale; `to_clips` makes them of a video's frames as they are.
    It gives features `B C h w`,
    `encoder.feature_shape` being (C, h, w); after pretraining with task=disentangle,
    `fbm.models.disentangler.split_features` cuts them into motion, foreground and background.

    Args:
        path: a checkpoint file, the folder of a finished run, which stands for its best checkpoint, a folder that
            `fbm export` wrote, or `hf://USER/NAME`, one on the Hugging Face Hub.
        map_location: the device to put the encoder on.

    Raises:
        UserError: there is none, it holds more than weights and plain values, or it does not hold all weights of the
            encoder that its own config describes.

    >>> import fbm, torch
    >>> from fbm.models.disentangler import split_features
    >>> encoder = fbm.load_encoder("outputs/demo/disentangle-random-seed0")
    >>> video = torch.randint(256, (40, 240, 320, 3), dtype=torch.uint8)  # T H W 3, as most readers give it
    >>> with torch.no_grad():
    ...     features = encoder(fbm.to_clips(video, encoder))  # 2 clips of 16 frames
    >>> features.shape == (2, *encoder.feature_shape)
    True
    >>> split_features(features).motion.shape
    torch.Size([2, 22, 2, 2])
    """
    from pathlib import Path

    from fbm.evaluation.extract.arrays import check_clips
    from fbm.runs.checkpoints import encoder_of, read_checkpoint

    encoder = encoder_of(read_checkpoint(Path(path)), str(path)).to(map_location)
    encoder.register_forward_pre_hook(check_clips, prepend=True)  # before it makes residual frames
    return encoder


def to_clips(
    video: "np.ndarray | torch.Tensor | Sequence[np.ndarray]", encoder: "Encoder", stride: int | None = None
) -> "torch.Tensor":
    """A video's frames as clips for an encoder: resized, cut into windows and scaled as `fbm extract` does.

    Args:
        video: uint8 `T H W 3`, RGB, of any height and width, T at least `encoder.span`; an array, a tensor or a
            list of frames.
        encoder: of `load_encoder`; its `frames`, `frame_interval` and `size` are a clip's.
        stride: frames between the starts of two clips; None takes those that a clip spans: no overlap, and what fills
            no clip at the end is left out.

    Returns:
        `B 3 T H W` float32 in [-1, 1], on the encoder's device. All clips are made at once; films are for
        `fbm extract`.

    Raises:
        UserError: another shape or kind of numbers, or too few frames.
    """
    from fbm.evaluation.extract.arrays import to_clips as made

    return made(video, encoder, stride)
