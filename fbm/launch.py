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
from fbm.errors import Stopped, UserError
from fbm.files import unwritable
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
    # Hydra wants its -m before the settings; people write it anywhere.
    many = [word for word in arguments if word in ("-m", "--multirun")]
    sys.argv = [program or f"fbm {config_name}", *many[:1], *(word for word in arguments if word not in many)]
    try:
        hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=config_name)(guarded)()
    except UserError:
        return 1  # of a sweep's job, which said it already
    except (HydraException, OmegaConfBaseException, YAMLError) as error:
        complain(explain(error, config_name))
        return 1
    except (Stopped, KeyboardInterrupt) as stopped:
        return signalled(stopped)
    return 0


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


def explain(error: Exception, config_name: str) -> str:
    """One line for what Hydra refused, with the closest name that would have been right."""
    causes = [str(part) for part in (error, error.__cause__) if part is not None]
    text = " ".join(" ".join(causes).split())
    if match := re.search(r"Could not override '([^']+)'", text):
        key = match[1].split("@")[0]
        known = [other for other in known_keys(config_name) if other != key]  # another choice of a group may have it
        return f"no such setting {key!r}{did_you_mean(key, known)}"
    if match := re.search(r"Could not find 'hydra/(?:launcher|sweeper)/(joblib|submitit|optuna)", text):
        return f"Hydra's {match[1]} plugin is not installed: pip install 'fbm-video[{match[1]}]'"
    if match := re.search(r"In '[^']*': Could not find '([^']+)' Available options in '[^']+': (.*)", text):
        option = match[1].rsplit("/", 1)[-1]
        return f"no such option {match[1]!r}{did_you_mean(option, match[2].split()) or f'; there is {match[2]}'}"
    if match := re.search(r"In '[^']*': Could not find '([^']+)'", text):
        group, _, option = match[1].partition("/")
        known = [
            str(path.relative_to(conf_dir() / group).with_suffix("")) for path in conf_dir().glob(f"{group}/**/*.yaml")
        ]
        return f"no such option {match[1]!r}{did_you_mean(option, known)}"
    return text


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
