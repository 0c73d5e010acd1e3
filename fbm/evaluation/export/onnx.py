"""The network as ONNX, held against torch before it is kept."""

import logging
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fbm.evaluation.trained import trained_task
from fbm.models.encoder import Encoder
from fbm.runs.checkpoints import encoder_of
from fbm.runs.summary import RunSummary
from fbm.tasks.classify import Classify
from fbm.utils.errors import UserError

WORST = 1e-3  # difference from torch, as a share of the largest value, from which on an export is refused
CLIPS = 3  # that it is checked with


class _FeaturesAndLogits(nn.Module):
    def __init__(self, encoder: Encoder, linear: nn.Linear) -> None:
        super().__init__()
        self.encoder = encoder
        self.linear = linear

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        features: Tensor = self.encoder(clips)
        return features, self.linear(features.flatten(1))


def check_packages() -> None:
    """UserError unless what an export to ONNX needs is installed; imports nothing."""
    if not all(map(find_spec, ("onnx", "onnxscript", "onnxruntime"))):
        raise UserError("--onnx needs onnx, onnxscript and onnxruntime: pip install 'fbm-video[onnx]'")


def export_onnx(checkpoint: dict[str, Any], summary: RunSummary, named: str, file: Path) -> str:
    """Write the encoder, and a classifier's linear layer, as ONNX; returns how far it agrees with torch.

    Its input is `clips`, any number B of them, `B 3 T H W` float32 in [-1, 1]; its outputs are `features` `B C h w`
    and, of a classification, `logits` `B classes`.

    Raises:
        UserError: a package is missing, the network cannot be exported, or differs by more than `WORST`.
    """
    check_packages()
    import onnxruntime

    network: nn.Module
    if summary.task == "classify":
        task = trained_task(checkpoint, summary, named, Classify, "it has no logits")
        encoder, outputs = task.encoder, ["features", "logits"]
        network = _FeaturesAndLogits(encoder, task.network.linear).eval()
    else:
        encoder, outputs = encoder_of(checkpoint, named), ["features"]
        network = encoder
    random = torch.Generator().manual_seed(0)
    clips = torch.rand((CLIPS, 3, *encoder.clip_shape), generator=random) * 2 - 1
    _write(network, clips[:2], outputs, file, named)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        made = network(clips)
    expected = dict(zip(outputs, made if isinstance(made, tuple) else (made,), strict=True))
    parts = []
    for name, found in zip(outputs, session.run(outputs, {"clips": clips.numpy()}), strict=True):
        wanted = expected[name].numpy()
        apart, most = float(np.abs(found - wanted).max()), float(np.abs(wanted).max())
        if not apart <= WORST * max(most, 1e-6):
            raise UserError(f"{named}: as ONNX its {name} differ by {apart:.2g} of values up to {most:.2g}")
        parts.append(f"{name} differ from torch's by at most {apart:.1e} of values up to {most:.2g}")
    return f"{', '.join(parts)} (onnxruntime {onnxruntime.__version__}, {CLIPS} clips of noise)"


def _write(network: nn.Module, clips: Tensor, outputs: list[str], file: Path, named: str) -> None:
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                network,
                (clips.contiguous(),),
                str(file),
                input_names=["clips"],
                output_names=outputs,
                dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # an encoder of the user's may use anything
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"{named} cannot be exported as ONNX: {reason}") from error
    finally:
        log.setLevel(before)
