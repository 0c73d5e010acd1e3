"""One Hydra application a sub-command: our errors in one line, every other job of a sweep still run."""

import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

from omegaconf import DictConfig

from fbm.cli.settings_help import register_help
from fbm.config.compose import conf_dir
from fbm.config.messages import explain_hydra_error
from fbm.config.naming import sweep_setting
from fbm.config.overrides import check_hydra_folders, swept
from fbm.utils.errors import Stopped, UserError, parsed
from fbm.utils.messages import print_error, signal_exit_status, user_message

Job = Callable[[DictConfig], Any]


def launch(config_name: str, job: Job, arguments: list[str], program: str | None = None) -> int:
    """Run `job` once, or once a combination with `-m`, on the config that `arguments` compose.

    Returns:
        The exit status: 1 where the arguments do not compose or a job failed, 128 + N where signal N ended it.
    """
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.errors import HydraException
    from hydra.types import RunMode
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    def guarded(config: DictConfig) -> Any:
        many = HydraConfig.get().mode is RunMode.MULTIRUN
        try:
            check_hydra_folders(_hydras_own(config))
            return job(config)
        except Exception as error:
            line = user_message(error)
            if line is not None:
                print_error(line)
            if not many:
                raise (SystemExit(1) if line is not None else error) from error  # Hydra would print a second line
            if line is None:
                traceback.print_exc()  # of several failed jobs Hydra shows the first alone
            raise UserError(str(error)) from error  # Hydra names the job and runs the others first

    register_help()
    # Hydra finds its caller's file through the wrapped function: a task function of our own module will do.
    guarded.__module__ = __name__
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # exceptions come to us in place of being printed
    check_hydra_folders(arguments)
    # Hydra wants its -m before the settings; people write it anywhere.
    many = [word for word in arguments if word in ("-m", "--multirun")]
    sys.argv = [program or f"fbm {config_name}", *many[:1], *(word for word in arguments if word not in many)]
    sys.argv += sweep_setting(swept(arguments))
    _refuse_flags(sys.argv[0], sys.argv[1:])
    try:
        hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=config_name)(guarded)()
    except UserError:
        return 1  # of a sweep's job, which said it already
    except (HydraException, OmegaConfBaseException, YAMLError) as error:
        print_error(explain_hydra_error(error, config_name, sweeps=bool(many)))
        return 1
    except ValueError as error:
        if "Config group override must be" not in str(error):  # what Hydra says of a group's value that is no name
            raise
        print_error(_no_option(arguments) or str(error))
        return 1
    except (Stopped, KeyboardInterrupt) as stopped:
        return signal_exit_status(stopped)
    return 0


def _no_option(words: list[str]) -> str | None:
    """What to say of `logger=false` and the like: a group's value is the name of one of its files, or null."""
    from yaml import safe_load

    for word in words:
        group, equals, value = word.lstrip("+").partition("=")
        if equals and not group:
            return f"{word}: no setting"
        options = sorted(path.stem for path in (conf_dir() / group).glob("*.yaml")) if equals else []
        if options and isinstance(safe_load(value), bool | int | float):
            return f"{word}: a group takes an option; there is {', '.join(options)}, and null for none"
    return None


def _refuse_flags(program: str, words: list[str]) -> None:
    """UserError for flags that are not Hydra's, and for two of its that do not go together."""
    from hydra._internal.utils import get_args_parser  # the flags stand nowhere else

    parser = get_args_parser()
    parser.prog = program
    try:
        asked = parsed(parser, words)
    except UserError as error:
        flag = next((word for word in words if word.startswith("--") and word[2:].split("=")[0] in str(error)), None)
        raise UserError(
            f"{error}; settings have no dashes: {flag[2:].partition('=')[0]}=VALUE" if flag else str(error)
        ) from None
    if asked.multirun and (asked.cfg or asked.info):
        raise UserError(
            f"{'--cfg' if asked.cfg else '--info'} shows one job, -m runs several: leave out one of the two"
        )


def _hydras_own(config: DictConfig) -> list[str]:
    """The settings of Hydra's folders where a config file chose them."""
    from hydra.core.hydra_config import HydraConfig

    asked = HydraConfig.get()
    chosen = [f"hydra.run.dir={asked.run.dir}"] if asked.run.dir not in (config.get("run_dir"), ".") else []
    if "study" in config and asked.sweep.dir != f"outputs/{config.study}":
        chosen.append(f"hydra.sweep.dir={asked.sweep.dir}")
    return [*chosen, *(["hydra.job.chdir=true"] if asked.job.chdir else [])]
