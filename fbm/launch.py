"""One Hydra application a sub-command: our errors in one line, every other job of a sweep still run."""

import os
import re
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fbm.config import compose, conf_dir
from fbm.errors import Stopped, UserError, parsed
from fbm.files import unwritable
from fbm.naming import sweep_setting
from fbm.overrides import refuse_folders, refused, several, swept
from fbm.suggest import did_you_mean

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
            refuse_folders(_hydras_own(config))
            return job(config)
        except Exception as error:
            line = mendable(error)
            if line is not None:
                complain(line)
            if not many:
                raise (SystemExit(1) if line is not None else error) from error  # Hydra would print a second line
            if line is None:
                traceback.print_exc()  # of several failed jobs Hydra shows the first alone
            raise UserError(str(error)) from error  # Hydra names the job and runs the others first

    # Hydra finds its caller's file through the wrapped function: a task function of our own module will do.
    guarded.__module__ = __name__
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # exceptions come to us in place of being printed
    refuse_folders(arguments)
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
        complain(explain(error, config_name, sweeps=bool(many)))
        return 1
    except ValueError as error:
        if "Config group override must be" not in str(error):  # what Hydra says of a group's value that is no name
            raise
        complain(_no_option(arguments) or str(error))
        return 1
    except (Stopped, KeyboardInterrupt) as stopped:
        return signalled(stopped)
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


def signalled(stopped: Stopped | KeyboardInterrupt) -> int:
    """Say how far it is, and give the exit status, where a signal ended a command."""
    if isinstance(stopped, Stopped):
        print(f"fbm: {stopped}", file=sys.stderr)
        return 128 + stopped.signum
    complain("interrupted; what is done is kept")
    return 128 + signal.SIGINT


def mendable(error: Exception) -> str | None:
    """What to tell a user who can mend it; None for a fault of ours."""
    from omegaconf.errors import OmegaConfBaseException

    if isinstance(error, UserError | OmegaConfBaseException):
        return str(error)
    return unwritable(error) if isinstance(error, OSError) else None


def complain(message: str) -> None:
    """One line on standard error."""
    print(f"fbm: error: {' '.join(message.split())}", file=sys.stderr)


def explain(error: Exception, config_name: str, sweeps: bool = False) -> str:
    """One line for what Hydra refused, with the closest name that would have been right; `sweeps` as in `refused`."""
    from hydra.errors import OverrideParseException

    if isinstance(error, OverrideParseException):
        return refused(error.override, sweeps)
    causes = [str(part) for part in (error, error.__cause__) if part is not None]
    text = " ".join(" ".join(causes).split())
    if match := re.search(r"Ambiguous value for argument '(.*?)' 1\. To use it as a list", text):
        return several(match[1])
    if match := re.search(r"Could not override '([^']+)'", text):
        return _no_such_setting(match[1].split("@")[0], config_name)
    if match := re.search(r"Could not find 'hydra/(?:launcher|sweeper)/(joblib|submitit|optuna)", text):
        return f"Hydra's {match[1]} plugin is not installed: pip install 'fbm-video[{match[1]}]'"
    if match := re.search(
        r"In '[^']*': Could not find '([^']+)' Available options in '[^']+': (.*?)(?: Config search path:|$)", text
    ):
        option = match[1].rsplit("/", 1)[-1]
        return f"no such option {match[1]!r}{did_you_mean(option, match[2].split()) or f'; there is {match[2]}'}"
    if match := re.search(r"In '[^']*': Could not find '([^']+)'", text):
        group, _, option = match[1].partition("/")
        known = [
            str(path.relative_to(conf_dir() / group).with_suffix("")) for path in conf_dir().glob(f"{group}/**/*.yaml")
        ]
        return f"no such option {match[1]!r}{did_you_mean(option, known)}"
    return text


def _no_such_setting(key: str, config_name: str) -> str:
    # Another choice of a group may have the key itself; what is built is chosen by file, not by name.
    known = [other for other in known_keys(config_name) if other != key and "._" not in other]
    said = did_you_mean(key, known)
    node = key.rpartition(".")[0]
    beside = sorted(other.rpartition(".")[2] for other in known if node and other.rpartition(".")[0] == node)
    if not said and beside:
        said = f"; {node} has {', '.join(beside)}"
    return f"no such setting {key!r}{said}"


def known_keys(config_name: str) -> list[str]:
    """Every key and group of the default config, dotted."""
    config = compose(name=config_name)
    groups = [folder.name for folder in conf_dir().iterdir() if folder.is_dir()]
    return [*groups, *_paths(OmegaConf.to_container(config), "")]


def _paths(node: Any, path: str) -> list[str]:
    if not isinstance(node, dict):
        return []
    own = [f"{path}.{key}".lstrip(".") for key in node]
    return own + [inner for key, value in node.items() for inner in _paths(value, f"{path}.{key}".lstrip("."))]
