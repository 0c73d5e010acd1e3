"""Run a command as a Hydra application: errors become one line, and the other jobs of a sweep still run."""

import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

from omegaconf import DictConfig

from fbm.cli.settings_help import register_help
from fbm.config.compose import conf_dir
from fbm.config.messages import explain_config_error
from fbm.config.naming import sweep_setting
from fbm.config.overrides import check_hydra_folders, swept
from fbm.utils.errors import Stopped, UserError, parsed
from fbm.utils.messages import print_error, signal_exit_status, user_message

Job = Callable[[DictConfig], Any]


def launch(config_name: str, job: Job, arguments: list[str], program: str | None = None) -> int:
    """Run `job` on the config that `arguments` compose, with `-m` once for every combination.

    Returns:
        The exit status: 1 if the config does not compose or a job failed, 128 + N if signal N ended it.
    """
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    def guarded(config: DictConfig) -> Any:
        many = HydraConfig.get().mode is RunMode.MULTIRUN
        try:
            check_hydra_folders(_hydra_folders(config))
            return job(config)
        except Exception as error:
            line = user_message(error)
            if line is not None:
                print_error(line)
            if not many:
                raise (SystemExit(1) if line is not None else error) from error  # Hydra would print a second line
            if line is None:
                traceback.print_exc()  # Hydra shows only the first of several failed jobs
            raise UserError(str(error)) from error  # Hydra runs the other jobs, and then raises it

    register_help()
    # Hydra derives its caller's file from the wrapped function.
    guarded.__module__ = __name__
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # raise exceptions instead of printing them
    check_hydra_folders(arguments)
    # Hydra expects -m before the settings.
    many = [word for word in arguments if word in ("-m", "--multirun")]
    sys.argv = [program or f"fbm {config_name}", *many[:1], *(word for word in arguments if word not in many)]
    sys.argv += sweep_setting(swept(arguments))
    _check_flags(sys.argv[0], sys.argv[1:])
    try:
        hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=config_name)(guarded)()
    except UserError:
        return 1  # of a sweep's job, printed already
    except Exception as error:
        if (line := explain_config_error(error, config_name, bool(many), arguments)) is None:
            raise
        print_error(line)
        return 1
    except (Stopped, KeyboardInterrupt) as stopped:
        return signal_exit_status(stopped)
    return 0


def _check_flags(program: str, words: list[str]) -> None:
    """UserError for flags that Hydra does not have, and for -m with --cfg or --info."""
    from hydra._internal.utils import get_args_parser  # the only list of the flags

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


def _hydra_folders(config: DictConfig) -> list[str]:
    """The settings of Hydra's folders that a config file changes."""
    from hydra.core.hydra_config import HydraConfig

    asked = HydraConfig.get()
    chosen = [f"hydra.run.dir={asked.run.dir}"] if asked.run.dir not in (config.get("run_dir"), ".") else []
    if "study" in config and asked.sweep.dir != f"outputs/{config.study}":
        chosen.append(f"hydra.sweep.dir={asked.sweep.dir}")
    return [*chosen, *(["hydra.job.chdir=true"] if asked.job.chdir else [])]
