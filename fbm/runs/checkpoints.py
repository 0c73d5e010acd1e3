"""Reading checkpoints, weights only, and taking an encoder out of one."""

import pickle
import warnings
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from fbm.config.instantiate import build, check
from fbm.models.encoder import Encoder
from fbm.models.layers import fold_biases
from fbm.runs.files import BEST, CHECKPOINTS, SUMMARY
from fbm.utils.errors import UserError

PREFIX = "network.encoder."


@dataclass(frozen=True)
class Loaded:
    """What came of loading an encoder: names of weights, and the run they are from."""

    matched: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()  # the encoder has them, the checkpoint has not
    unexpected: tuple[str, ...] = ()  # the other way round
    pretraining: dict[str, Any] | None = None  # `folder` as it was named, `study`, `run`, `seed`, `fingerprint`

    @property
    def fingerprint(self) -> str | None:
        """The config fingerprint of the run that the weights are from."""
        return None if self.pretraining is None else self.pretraining["fingerprint"]

    def counts(self) -> dict[str, int]:
        """How many of each."""
        return {name: len(getattr(self, name)) for name in ("matched", "missing", "unexpected")}


def find_checkpoint(path: Path) -> Path:
    """`path` itself, or the best checkpoint where it is a run folder.

    Raises:
        UserError: neither is there.
    """
    best = path / CHECKPOINTS / BEST
    if path.is_dir() and not (best.is_file() and (path / SUMMARY).is_file()):
        raise UserError(f"no finished run at {path}: it holds no {SUMMARY} or no {CHECKPOINTS}/{BEST}")
    if not path.exists():
        raise UserError(f"no such checkpoint: {path}")
    return best if path.is_dir() else path


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint of ours, read without running anything in it.

    Raises:
        UserError: not there, damaged, holding code, or not made by fbm.
    """
    path = find_checkpoint(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's about a pickle's age, before it refuses it
            content: Any = torch.load(path, map_location="cpu", weights_only=True)
        damaged = _damaged(path)
    except pickle.UnpicklingError as error:
        raise UserError(f"{path} refused: it holds more than weights and plain values, or is damaged") from error
    except Exception as error:  # what is no checkpoint can make its reader raise anything
        raise UserError(f"{path} cannot be read as a checkpoint: {_reason(path, error)}") from error
    if damaged is not None:
        raise UserError(f"{path} is damaged: its part {damaged} does not fit its checksum")
    if not _is_ours(content):
        raise UserError(f"{path} is not a checkpoint that fbm made")
    ours: dict[str, Any] = content
    return ours


def _reason(path: Path, error: Exception) -> str:
    """One line; torch's own for a file that is cut is of zip archives and their directories."""
    with suppress(OSError), path.open("rb") as file:
        if file.read(2) == b"PK" and not zipfile.is_zipfile(path):
            return "it is cut short"
    return (str(error).splitlines() or ["it ends too soon"])[0]


def _damaged(path: Path) -> str | None:
    """The first part of a checkpoint that has changed since it was written; torch does not look."""
    if not zipfile.is_zipfile(path):
        return None  # of an early torch: no checksums
    with zipfile.ZipFile(path) as parts:
        return parts.testzip()


def _is_ours(content: Any) -> bool:
    if not isinstance(content, dict) or not {"fbm", "state_dict"} <= content.keys():
        return False
    carried = content["fbm"]
    return isinstance(carried, dict) and {"task", "fingerprints", "metrics"} <= carried.keys()


def encoder_of(content: dict[str, Any], named: str) -> Encoder:
    """The encoder of a checkpoint that was read, made from the config it carries, in eval mode.

    Args:
        named: what an error calls the checkpoint.

    Raises:
        UserError: the config describes no encoder that can be made here, or one with other weights.
    """
    encoder = _empty_encoder(content["fbm"].get("config"), named)
    weights = _encoder_weights(content, encoder)
    _check_shapes(encoder.state_dict(), weights, _compared(encoder, weights), named)
    try:
        encoder.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        raise UserError(
            f"{named} does not hold its encoder's weights: {str(error).splitlines()[-1].strip()}"
        ) from error
    return encoder.eval()


def _empty_encoder(config: Any, named: str) -> Encoder:
    node = config.get("encoder") if isinstance(config, dict) else None
    if not isinstance(node, dict) or not all(_is_plain(value) for value in node.values()):
        raise UserError(f"{named} carries no config of its encoder: it is damaged, or of a very early fbm")
    try:
        check(OmegaConf.create({"encoder": node}))
        # Looked at before it is called: a config from elsewhere could name any function.
        target = build({**node, "_partial_": True}).func
        if not (isinstance(target, type) and issubclass(target, Encoder)):
            raise UserError(f"{node['_target_']} is no fbm.models.encoder.Encoder")
        encoder: Encoder = build({**node, "_partial_": False})
    except (UserError, TypeError) as error:  # what it names need not be callable
        raise UserError(f"the encoder of {named} cannot be made: {error}") from error
    return encoder


def _is_plain(value: Any) -> bool:
    """Whether nothing in it could name something to be called."""
    return all(map(_is_plain, value)) if isinstance(value, list) else not isinstance(value, dict)


def _encoder_weights(content: dict[str, Any], encoder: nn.Module) -> dict[str, Any]:
    """A checkpoint's weights of its encoder, as this one takes them."""
    found = content["state_dict"].items()
    weights = {key.removeprefix(PREFIX): value for key, value in found if key.startswith(PREFIX)}
    fold_biases(encoder, weights)
    return weights


def initialise(encoder: nn.Module, init: DictConfig) -> Loaded:
    """Give `encoder` the weights that a `conf/init` choice names, in place, and say what matched.

    Args:
        init: `name`, `task` (what the checkpoint must have been trained on; None for a random start) and `checkpoint`.

    Raises:
        UserError: no checkpoint is named or there, it is of another task or width, or nothing in it matches.
    """
    if init.task is None:
        if init.checkpoint is not None:
            raise UserError(f"init={init.name} starts from no weights: leave out init.checkpoint={init.checkpoint}")
        return Loaded()
    if init.checkpoint is None:
        raise UserError(
            f"init={init.name} needs the checkpoint or run folder of a task={init.task} run: init.checkpoint=PATH"
        )
    content = read_checkpoint(Path(str(init.checkpoint)))
    made_by = content["fbm"]["task"]
    if made_by != init.task:
        raise UserError(f"init={init.name} needs a checkpoint of task={init.task}, {init.checkpoint} is of {made_by}")
    weights = _encoder_weights(content, encoder)
    loaded = _compared(encoder, weights, _made_by(content["fbm"], str(init.checkpoint)))
    _check_shapes(encoder.state_dict(), weights, loaded, init.checkpoint)
    encoder.load_state_dict(weights, strict=False)
    print(
        f"init={init.name}: {len(loaded.matched)} weights matched, {len(loaded.missing)} missing, "
        f"{len(loaded.unexpected)} unexpected, from {init.checkpoint}"
    )
    return loaded


def _made_by(carried: dict[str, Any], named: str) -> dict[str, Any]:
    config = carried.get("config", {})
    return {
        **{"folder": named, "study": config.get("study"), "run": config.get("name"), "seed": config.get("seed")},
        "fingerprint": carried["fingerprints"]["config"],
    }


def _compared(encoder: nn.Module, weights: dict[str, Any], pretraining: dict[str, Any] | None = None) -> Loaded:
    own = encoder.state_dict()
    return Loaded(
        tuple(key for key in own if key in weights),
        tuple(key for key in own if key not in weights),
        tuple(key for key in weights if key not in own),
        pretraining,
    )


def _check_shapes(own: dict[str, Any], weights: dict[str, Any], loaded: Loaded, path: str) -> None:
    """UserError where nothing matches, or what does is of another shape or normalised in another way."""
    if not loaded.matched:
        raise UserError(f"no weight of the encoder is in {path}: it is of another encoder")
    for key in loaded.matched:
        if own[key].shape != weights[key].shape:
            raise UserError(
                f"{path} is of another encoder: {key} is {tuple(weights[key].shape)} there and "
                f"{tuple(own[key].shape)} here; choose the encoder, and the settings of it, that it was pretrained with"
            )
    for layer in (key.removesuffix(".weight") for key in loaded.matched if key.endswith(".weight")):
        # Only batch norm has running statistics; a group norm's weights fit it by name and shape.
        here, there = ("batch" if f"{layer}.running_mean" in state else "group or no" for state in (own, weights))
        if here != there:
            raise UserError(
                f"{path} has {there} norm in {layer} where this encoder has {here} norm: choose encoder.norm and "
                "encoder.mapping_norm as it was pretrained with"
            )
