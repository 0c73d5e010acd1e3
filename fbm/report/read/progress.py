"""How far a run without a summary is."""

from pathlib import Path

from fbm.report.read.files import is_run, read_config, read_metrics
from fbm.runs.files import FAILURE
from fbm.utils.errors import UserError
from fbm.utils.files import is_locked


def state(folder: Path) -> str:
    """`not started`, `running`, `failed` or `unfinished`, of a run without a summary."""
    if not is_run(folder):
        return "not started"
    if is_locked(folder):
        return "running"
    return "failed" if (folder / FAILURE).exists() else "unfinished"


def progress(folder: Path) -> str:
    """The state, and the epochs done where they are known: `running, 3 of 10 epochs`."""
    try:
        done = max((int(row["epoch"]) + 1 for row in read_metrics(folder) if row.get("epoch")), default=0)
        planned = (read_config(folder).get("trainer") or {}).get("max_epochs")
    except (UserError, ValueError, AttributeError):  # damaged, which is reported when it is finished
        return state(folder)
    epochs = f"{done} of {planned} epochs" if planned else f"{done} epochs"
    return f"{state(folder)}, {epochs}" if done or planned else state(folder)
