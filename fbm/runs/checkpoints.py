"""Load checkpoints, weights only, and initialise encoders from them."""

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
from fbm.models.encoder import Encoder, adapt
from fbm.models.layers import fold_biases
from fbm.runs.exported import read_exported
from fbm.runs.files import EXPORTED_WEIGHTS
from fbm.runs.locate import find_checkpoint
from fbm.utils.errors import UserError

PREFIX = "network.encoder."


@dataclass(frozen=True)
class Loaded:
    """The result of loading an encoder: names of weights, and the run they are from."""

    matched: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()  # in the encoder, but not in the checkpoint
    unexpected: tuple[str, ...] = ()  # in the checkpoint, but not in the encoder
    pretraining: dict[str, Any] | None = None  # `folder` as given, `study`, `run`, `seed`, `data`, `fingerprint`

    @property
    def fingerprint(self) -> str | None:
        """The config fingerprint of the run that the weights are from."""
        return None if self.pretraining is None else self.pretraining["fingerprint"]

    def counts(self) -> dict[str, int]:
        """How many of each."""
        return {name: len(getattr(self, name)) for name in ("matched", "missing", "unexpected")}


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Load a checkpoint of fbm, or what `fbm export` made of one, without executing code from it.

    Raises:
        UserError: it does not exist, is damaged, contains code, or was not saved by fbm.
    """
    path = find_checkpoint(path)
    if path.suffix == Path(EXPORTED_WEIGHTS).suffix:
        exported = read_exported(path)
        if not _is_ours(exported):
            raise UserError(f"{path} is not of a run of fbm")
        return exported
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's about a pickle's age, before it rejects it
            content: Any = torch.load(path, map_location="cpu", weights_only=True)
        damaged = _damaged(path)
    except pickle.UnpicklingError as error:
        raise UserError(f"{path} refused: it holds more than weights and plain values, or is damaged") from error
    except Exception as error:  # torch can raise anything for other files
        raise UserError(f"{path} cannot be read as a checkpoint: {_reason(path, error)}") from error
    if damaged is not None:
        raise UserError(f"{path} is damaged: its part {damaged} does not fit its checksum")
    if not _is_ours(content):
        raise UserError(f"{path} is not a checkpoint that fbm made")
    ours: dict[str, Any] = content
    return ours


def _reason(path: Path, error: Exception) -> str:
    """One line; torch's message for a truncated file is about zip directories."""
    with suppress(OSError), path.open("rb") as file:
        if file.read(2) == b"PK" and not zipfile.is_zipfile(path):
            return "it is cut short"
    return (str(error).splitlines() or ["it ends too soon"])[0]


def _damaged(path: Path) -> str | None:
    """The first part of a checkpoint whose checksum is wrong, which torch does not verify."""
    if not zipfile.is_zipfile(path):
        return None  # saved by an early torch, without checksums
    with zipfile.ZipFile(path) as parts:
        return parts.testzip()


def _is_ours(content: Any) -> bool:
    if not isinstance(content, dict) or not {"fbm", "state_dict"} <= content.keys():
        return False
    carried = content["fbm"]
    return isinstance(carried, dict) and {"task", "fingerprints", "metrics"} <= carried.keys()


def encoder_of(content: dict[str, Any], named: str) -> Encoder:
    """The encoder of a loaded checkpoint, built from the config in it, in eval mode.

    Args:
        named: the checkpoint's name in errors.

    Raises:
        UserError: the config's encoder cannot be built, or has other weights.
    """
    config = content["fbm"].get("config")
    encoder = _empty_encoder(config, named)
    adapt_as_trained(encoder, config)
    weights = _encoder_weights(content, encoder)
    _check_shapes(encoder.state_dict(), weights, _compared(encoder, weights), named)
    try:
        encoder.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        raise UserError(
            f"{named} does not hold its encoder's weights: {str(error).splitlines()[-1].strip()}"
        ) from error
    return encoder.eval()


def adapt_as_trained(encoder: Encoder, config: Any) -> None:
    """Adapt an encoder to the frames of the run that trained it, by its config."""
    size = (config.get("data") or {}).get("size")
    adapt(encoder, size if isinstance(size, int) else encoder.size, *_seen(config).values())


def _seen(config: Any) -> dict[str, Any]:
    """What an encoder sees of a video by a run's config, in the order of `adapt`; by default all frames as they are."""
    return {
        "input": config.get("input", "frames"),
        "data.frame_interval": (config.get("data") or {}).get("frame_interval", 1),
    }


def _empty_encoder(config: Any, named: str) -> Encoder:
    node = config.get("encoder") if isinstance(config, dict) else None
    if not isinstance(node, dict) or not all(_is_plain(value) for value in node.values()):
        raise UserError(f"{named} carries no config of its encoder: it is damaged, or of a very early fbm")
    try:
        check(OmegaConf.create({"encoder": node}))
        # Checked before it is called: a config from elsewhere could name any function.
        target = build({**node, "_partial_": True}).func
        if not (isinstance(target, type) and issubclass(target, Encoder)):
            raise UserError(f"{node['_target_']} is no fbm.models.encoder.Encoder")
        encoder: Encoder = build({**node, "_partial_": False})
    except (UserError, TypeError) as error:  # the target may not be callable
        raise UserError(f"the encoder of {named} cannot be made: {error}") from error
    return encoder


def _is_plain(value: Any) -> bool:
    """Whether a value has no dict in it, which could name a `_target_`."""
    return all(map(_is_plain, value)) if isinstance(value, list) else not isinstance(value, dict)


def _encoder_weights(content: dict[str, Any], encoder: nn.Module) -> dict[str, Any]:
    """A checkpoint's weights of its encoder, in the form of this encoder."""
    found = content["state_dict"].items()
    weights = {key.removeprefix(PREFIX): value for key, value in found if key.startswith(PREFIX)}
    fold_biases(encoder, weights)
    return weights


def initialise(encoder: Encoder, init: DictConfig) -> Loaded:
    """Load the weights that a `conf/init` option names into `encoder`, and print how many matched.

    Args:
        init: `name`, `task` (that the checkpoint must be of; None for a random start) and `checkpoint`.

    Raises:
        UserError: the checkpoint is missing, of another task or width, or matches no weight.
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
    seen = _seen(content["fbm"].get("config") or {})
    for (key, theirs), ours in zip(seen.items(), (encoder.input, encoder.frame_interval), strict=True):
        if theirs != ours:
            print(f"init={init.name}: it was trained with {key}={theirs}, this run has {key}={ours}")
    print(
        f"init={init.name}: {len(loaded.matched)} weights matched, {len(loaded.missing)} missing, "
        f"{len(loaded.unexpected)} unexpected, from {init.checkpoint}"
    )
    return loaded


def _made_by(carried: dict[str, Any], named: str) -> dict[str, Any]:
    config = carried.get("config", {})
    return {
        "folder": named,
        "study": config.get("study"),
        "run": config.get("name"),
        "seed": config.get("seed"),
        "data": (config.get("data") or {}).get("name"),
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
    """UserError if nothing matches, or matching weights have other shapes or another norm."""
    if not loaded.matched:
        raise UserError(f"no weight of the encoder is in {path}: it is of another encoder")
    for key in loaded.matched:
        if own[key].shape != weights[key].shape:
            raise UserError(
                f"{path} is of another encoder: {key} is {tuple(weights[key].shape)} there and "
                f"{tuple(own[key].shape)} here; choose the encoder, and the settings of it, that it was pretrained with"
            )
    for layer in (key.removesuffix(".weight") for key in loaded.matched if key.endswith(".weight")):
        # Only batch norm has running statistics; a group norm's weights have the same names and shapes.
        here, there = ("batch" if f"{layer}.running_mean" in state else "group or no" for state in (own, weights))
        if here != there:
            raise UserError(
                f"{path} has {there} norm in {layer} where this encoder has {here} norm: choose encoder.norm and "
                "encoder.mapping_norm as it was pretrained with"
            )
