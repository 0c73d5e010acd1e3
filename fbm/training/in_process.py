"""`fbm.train`: one run in the calling process, with the command's config and without its command line."""

import os
from collections.abc import Sequence
from pathlib import Path

from fbm.config.compose import composed_as_command
from fbm.config.messages import explain_config_error
from fbm.config.overrides import check_hydra_folders, check_not_renamed, expand_home_word
from fbm.training.launch import run_training
from fbm.utils.errors import Stopped, UserError
from fbm.utils.messages import user_message


def train_here(overrides: Sequence[str], own: Path | None = None) -> Path:
    """Bring one run to its end; returns its folder. See `fbm.train`.

    Args:
        own: a folder of the user's config files.
    """
    os.environ.setdefault("WANDB_SILENT", "true")  # as on the command line
    words = [expand_home_word(_setting(word)) for word in overrides]
    check_not_renamed(words)
    check_hydra_folders(words)
    if own is not None and not own.is_dir():
        raise UserError(f"config_dir={own}: no such folder")
    try:
        with composed_as_command(words, own) as config:
            run_training(config)
            return Path(config.run_dir)
    except Stopped as stopped:
        raise KeyboardInterrupt(str(stopped)) from stopped
    except UserError:
        raise
    except Exception as error:
        line = explain_config_error(error, "train", settings=words) or user_message(error)
        if line is None:
            raise
        raise UserError(line) from error


def _setting(word: str) -> str:
    if not isinstance(word, str):
        raise UserError(f"{word!r}: each setting is a text, 'KEY=VALUE'")
    if word.startswith("-"):
        raise UserError(f"{word}: fbm.train takes settings of one run, KEY=VALUE; for a sweep, call it for each run")
    return word
