"""The encoder of a checkpoint as a function from clips `T H W 3` uint8 to rows of features."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fbm.evaluation.extract.clip_function import ClipFunction, chosen_device
from fbm.evaluation.extract.options import Options
from fbm.models.disentangler import split_features
from fbm.models.encoder import Encoder
from fbm.runs.checkpoints import encoder_of, read_checkpoint
from fbm.utils.errors import UserError


@dataclass(frozen=True)
class Network:
    """An encoder on its device, and the selected features.

    Attributes:
        columns: name and place, in the rows that `features` gives, of each column of the output.
        about: where the features come from, for the output's `meta`.
    """

    encoder: Encoder
    device: torch.device
    pool: str
    channels: slice
    columns: dict[str, slice]
    about: dict[str, Any]

    @property
    def fingerprint(self) -> str:
        """Of everything that decides the rows of a video."""
        content = {key: value for key, value in self.about.items() if key not in ("checkpoint", "fingerprints", "fbm")}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    def features(self, clips: Sequence[np.ndarray]) -> np.ndarray:
        """float32 `B D` of B clips. UserError where they do not fit into memory."""
        return ClipFunction(self._pooled, self.device, self.encoder.size, self.encoder.frame_interval)(clips)

    def _pooled(self, clips: Tensor) -> Tensor:
        maps: Tensor = self.encoder(clips)[:, self.channels]
        return maps.mean((2, 3)) if self.pool == "mean" else maps.flatten(1)


def load_network(checkpoint: Path, options: Options) -> Network:
    """The encoder that `checkpoint` holds, ready to run.

    Raises:
        UserError: the checkpoint is unusable, the device is missing, or the checkpoint has no such part.
    """
    content = read_checkpoint(checkpoint)
    encoder = encoder_of(content, str(checkpoint)).to(chosen_device(options.device))
    return network_of(encoder, content["fbm"], checkpoint, options)


def network_of(encoder: Encoder, carried: dict[str, Any], checkpoint: Path | str, options: Options) -> Network:
    """An encoder, on its device, with the selected features.

    Args:
        carried: what the checkpoint carries beside its weights.
        checkpoint: where it is.

    Raises:
        UserError: the checkpoint has no such part.
    """
    channels, height, width = encoder.feature_shape
    places = height * width if options.pool == "none" else 1
    parts = _parts(channels) if carried["task"] == "disentangle" else {}
    named = _named_channels(parts, options.part, channels, f"{checkpoint} is of {carried['task']}")
    first = min(part.start for part in named.values())
    last = max(part.stop for part in named.values())
    columns = {name: slice((part.start - first) * places, (part.stop - first) * places) for name, part in named.items()}
    about = {
        "checkpoint": str(checkpoint),
        "task": carried["task"],
        "fingerprints": carried["fingerprints"],
        "weights": _digest(encoder),
        "frames": encoder.frames,
        "size": encoder.size,
        "feature_shape": list(encoder.feature_shape),
        "part": options.part,
        "pool": options.pool,
        "stride": options.stride or encoder.span,
        "parts": {name: [place.start, place.stop] for name, place in parts.items()},  # channels
        # What most encoders have not is named only where there is some.
        **({"frame_size": encoder.frame_size} if encoder.frame_size != encoder.size else {}),
        **({"input": encoder.input} if encoder.input != "frames" else {}),
        **({"frame_interval": encoder.frame_interval} if encoder.frame_interval != 1 else {}),
    }
    device = next(encoder.parameters()).device
    return Network(encoder, device, options.pool, slice(first, last), columns, about)


def _parts(channels: int) -> dict[str, slice]:
    """The channels of the parts of a disentangled feature."""
    numbers = split_features(torch.arange(channels).reshape(1, -1, 1, 1))._asdict()
    return {name: slice(int(these.min()), int(these.max()) + 1) for name, these in numbers.items()}


def _named_channels(parts: dict[str, slice], part: str, channels: int, source: str) -> dict[str, slice]:
    """The channels of each column of the output."""
    if part == "all":
        return {"features": slice(0, channels)}
    if not parts:
        raise UserError(f"part={part} needs a checkpoint of task=disentangle, {source}: use --part all")
    return parts if part == "each" else {"features": parts[part]}


def _digest(encoder: Encoder) -> str:
    """16 hex digits of the SHA-256 of all weights and batch norm statistics."""
    digest = hashlib.sha256()
    for value in encoder.state_dict().values():
        digest.update(value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
