"""Folders that `fbm export` writes, here or on the Hugging Face Hub: weights as safetensors beside JSON files."""

import json
from pathlib import Path
from typing import Any

from fbm.runs.files import EXPORTED_RESULTS, EXPORTED_SETTINGS, EXPORTED_WEIGHTS
from fbm.utils.errors import UserError
from fbm.utils.files import checksum

HUB = "hf:"  # what a path begins with that is on the Hub: hf://USER/NAME or hf://USER/NAME@REVISION
FORMAT = 1  # of the settings; a folder of a later format is refused


def local_path(path: Path) -> Path:
    """`path` itself; for one on the Hub the folder that it is downloaded to, or was before.

    Raises:
        UserError: it cannot be downloaded, or huggingface_hub is not installed.
    """
    if path.parts[:1] != (HUB,):
        return path
    name = "/".join(path.parts[1:])
    repository, _, revision = name.partition("@")
    if repository.count("/") != 1:
        raise UserError(f"hf://{name}: it should be hf://USER/NAME, or hf://USER/NAME@REVISION")
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise UserError(f"hf://{name} needs huggingface_hub: pip install 'fbm-video[hub]'") from error
    files = [EXPORTED_WEIGHTS, EXPORTED_SETTINGS, EXPORTED_RESULTS]  # a repository may hold any others
    try:
        folder = snapshot_download(repository, revision=revision or None, allow_patterns=files)
    except Exception as error:  # its client raises its own errors, the network's and ValueErrors
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"hf://{name} cannot be downloaded: {reason}") from error
    if not is_exported(Path(folder)):
        raise UserError(f"hf://{name} holds no {EXPORTED_WEIGHTS} and {EXPORTED_SETTINGS} of `fbm export`")
    return Path(folder)


def is_exported(folder: Path) -> bool:
    """Whether `fbm export` wrote this folder."""
    return (folder / EXPORTED_WEIGHTS).is_file() and (folder / EXPORTED_SETTINGS).is_file()


def exported_settings(weights: Path, carried: dict[str, Any]) -> str:
    """The text of the settings' file.

    Args:
        weights: the file of the weights, written already.
        carried: what the run's checkpoint carries.
    """
    content = {"format": FORMAT, "sha256": checksum(weights), "fbm": carried}
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_exported(weights: Path) -> dict[str, Any]:
    """Weights and settings as `fbm.runs.checkpoints.read_checkpoint` gives a checkpoint.

    Raises:
        UserError: a file is missing or damaged, of a later fbm, or safetensors is not installed.
    """
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise UserError(f"{weights} needs safetensors: pip install 'fbm-video[export]'") from error
    settings = weights.with_name(EXPORTED_SETTINGS)
    try:
        content = json.loads(settings.read_bytes())
        form, stated, carried = content["format"], content["sha256"], content["fbm"]
    except OSError as error:
        raise UserError(f"{settings} cannot be read: {error.strerror}; `fbm export` writes it") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{settings} is damaged, or not of `fbm export`: export the run again") from error
    if form != FORMAT:
        raise UserError(f"{settings} is of format {form}, and this fbm reads {FORMAT}: install a later fbm")
    try:
        if checksum(weights) != stated:
            raise UserError(f"{weights} is damaged: it does not fit the checksum in {settings.name}")
        return {"state_dict": load_file(weights), "fbm": carried}
    except (OSError, SafetensorError) as error:
        raise UserError(f"{weights} cannot be read: {error}") from error
