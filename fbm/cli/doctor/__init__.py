"""`fbm doctor`: finds faults of data and configs, and changes nothing."""

from omegaconf import DictConfig

USAGE = """usage: fbm doctor data=NAME [data.root=PATH ...]   a data set and its store, file by file
       fbm doctor config [--config-dir DIR]      every config file, your own in DIR included, composed and built

Settings of the first are those of `fbm prepare`. Nothing is changed. Exit status 1 where anything is wrong.
"""


def main(arguments: list[str]) -> int:
    """Run one of the two checks; returns the exit status."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if arguments else 2
    if arguments[0] == "config":
        from fbm.cli.doctor.configs import main as configs

        return configs(arguments[1:])
    from fbm.cli.launch import launch

    return launch("prepare", _data_job, arguments[1:] if arguments[0] == "data" else arguments, program="fbm doctor")


def _is_given(source: DictConfig | None) -> bool:
    """Whether the data set's path is among the settings; without it, the store is checked alone."""
    from fbm.config.targets import import_target
    from fbm.utils.signatures import path_parameters

    if source is None:
        return False
    paths = path_parameters(import_target(source._target_)) & source.keys()
    return not paths or any(source[name] is not None for name in paths)


def _decoder_problems(decoder: str) -> list[str]:
    """A line where the decoder of the data settings cannot be used here."""
    from fbm.data.decoding.decoders import check_decoder
    from fbm.utils.errors import UserError

    try:
        check_decoder(decoder)
    except UserError as error:
        return [str(error)]
    return []


def _data_job(config: DictConfig) -> None:
    from pathlib import Path

    from fbm.cli.doctor.data import check_data
    from fbm.config.instantiate import build, check
    from fbm.config.overrides import expand_home
    from fbm.utils.errors import UserError

    expand_home(config)
    check(config, ("data.source", "masks.source"))
    masks = build(config.masks.source) if config.masks.source is not None else None
    source = build(config.data.source) if _is_given(config.data.source) else None
    found = check_data(source, masks, Path(config.data.store))
    problems = [*_decoder_problems(config.data.decoder), *found.problems]
    for line in problems:
        print(line)
    print(found.summary)
    if problems:
        raise UserError(f"problems found: {len(problems)}, each named above")
    if Path(config.data.store).is_dir():
        from fbm.data.clips import ClipDataset, clip_settings
        from fbm.data.reading_cost import reading_cost
        from fbm.data.store.frame_store import FrameStore

        store, data = FrameStore(Path(config.data.store)), config.data
        if cost := reading_cost(ClipDataset(store, "train", **clip_settings(data), seed=0)):
            print(cost)
