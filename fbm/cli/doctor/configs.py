"""Compose every config file, check it against the signatures it names, and build it, without any data."""

import argparse
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from fbm.config.compose import compose, conf_dir
from fbm.config.instantiate import build, check
from fbm.config.messages import explain_config_error
from fbm.models.contract import checked_encoder
from fbm.study.declared import read
from fbm.study.plan import plan
from fbm.utils.errors import UserError, parsed
from fbm.utils.machine import silence_lightning


def main(arguments: list[str]) -> int:
    """Print one line per file; returns 1 if any is wrong."""
    parser = argparse.ArgumentParser(prog="fbm doctor config", description=__doc__)
    parser.add_argument("--config-dir", type=Path, help="a folder of your own config groups, as given to `fbm train`")
    silence_lightning()
    own: Path | None = parsed(parser, arguments).config_dir
    if own is not None and not own.is_dir():
        raise UserError(f"--config-dir {own}: no such folder")
    files = list(options(conf_dir())) + (list(options(own)) if own else [])
    wrong = 0
    for group, option in files:
        problem = check_config(group, option, own)
        wrong += problem is not None
        print(f"{'ok   ' if problem is None else 'WRONG'} {group}={option}{f': {problem}' if problem else ''}")
    print(f"{len(files)} config files, {wrong} wrong")
    return 1 if wrong else 0


def options(folder: Path) -> Iterator[tuple[str, str]]:
    """(group, option) of every file in a config folder's groups."""
    for path in sorted(folder.rglob("*.yaml")):
        parts = path.relative_to(folder).with_suffix("").parts
        inner = 2 if parts[0] == "hydra" else 1  # Hydra's own groups are one level further down
        if parts[inner:]:
            yield "/".join(parts[:inner]), "/".join(parts[inner:])


def check_config(group: str, option: str, own: Path | None = None) -> str | None:
    """The fault of one option; None if it composes and builds."""
    try:
        if group == "sweep":
            declared, groups = read(option, [], own)
            plan(declared, own=groups)
            return None
        config = compose([f"{group}={option}"], own)
        check(config)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _build_all(config)
    except UserError as error:
        return str(error)
    except Exception as error:  # a user's class may raise anything
        return explain_config_error(error, "train") or f"{type(error).__name__}: {' '.join(str(error).split())}"
    return None


def _build_all(config: Any) -> None:
    """Build all parts of a run but its data, with networks on the meta device."""
    import torch

    for source in (config.data.source, config.masks.source):
        if source is not None:
            build(source)
    with torch.device("meta"):
        data, augment = config.data, config.augment
        encoder = checked_encoder(partial(build, config.encoder), data.clip_frames, data.size, augment is not None)
        schedule = build(config.schedule, total_steps=10) if config.schedule is not None else None
        task = build(config.task, encoder=encoder, classes=["a", "b"], optimizer=build(config.optim), schedule=schedule)
        task.configure_optimizers()
    if augment is not None:
        build(augment)
    for node in (*config.callbacks.values(), *config.logger.values()):
        if node is not None:
            build(node, carried={})
    build({**config.trainer, "accelerator": "cpu", "precision": "32-true", "logger": False})
