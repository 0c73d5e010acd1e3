"""Table 1 at the paper's size on one GPU, within a time: prepare, measure, choose the epochs, train, test, report.

Runs are those of `fbm study experiments/paper_gpu`, in this one process. First one epoch of each kind is trained, which
tells how many fit. When the time is over, training ends, and the report is of what is finished.
"""

import argparse
import json
import os
import signal
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from fbm.cli.main import main as fbm
from fbm.config.overrides import text
from fbm.data.store.manifest import read_manifest
from fbm.runs.files import CONFIG, METRICS, STUDY, SUMMARY
from fbm.study.declared import StudySpec, read
from fbm.study.estimate import Cost, costs
from fbm.study.job import Job
from fbm.study.launcher import Launcher
from fbm.study.plan import plan, write_study
from fbm.study.run import run
from fbm.utils.durations import duration
from fbm.utils.errors import Stopped, UserError
from fbm.utils.files import atomic_write, write_text

HERE = Path(__file__).resolve().parent
NAME = "paper_gpu"  # of the study
STORE = Path("stores", NAME)
RESULTS = Path("outputs", NAME)
TRIAL = Path("outputs", f"{NAME}_trial")
TABLE = "table1.md"
RATIO = 4  # epochs of a pretraining for one of a classification
MOST = 125  # epochs, the paper's
SPARE = 0.9  # of the time is planned with
REPORT = 30.0  # seconds for the report and for gathering the results
AGAIN = 10.0  # seconds until who did not end is told again
SIGNALLED = 128  # a shell's exit status of what a signal ended is more
LARGEST = 15 * 2**20  # bytes in the archive of results
TINY = [
    *("encoder.width=4", "trainer=cpu", "data.batch_size=4"),
    *("trainer.limit_train_batches=2", "trainer.limit_val_batches=1"),
]

Clock = Callable[[], float]


def epochs_that_fit(jobs: Sequence[Job], known: dict[Path, Cost], seconds: float, most: int = MOST) -> int:
    """Epochs of a classification with which the jobs take so long, at least 1; a pretraining has RATIO times as many.

    Args:
        jobs: what is to be run.
        known: what each takes, by its folder.
        most: epochs of any of them.

    Raises:
        UserError: of one of them nothing is known.
    """
    if unknown := sorted({job.content["task_name"] for job in jobs if job.folder not in known}):
        raise UserError(f"how long {' and '.join(unknown)} take is not known: the trial's epoch had too few steps")
    beside = sum(known[job.folder].beside for job in jobs)
    epoch = sum(known[job.folder].epoch * (RATIO if job.stage == "pretrain" else 1) for job in jobs)
    if any(job.stage == "pretrain" for job in jobs):
        most //= RATIO
    return max(1, min(most, int((SPARE * seconds - beside) / epoch)) if epoch else 1)


def prepare(pack: Path) -> dict[str, Any]:
    """Unpack into STORE, see that what was packed came out, and give what the pack says of itself.

    Raises:
        UserError: there is no pack, or other videos, splits, lengths or masks came out.
    """
    try:
        content: dict[str, Any] = json.loads((pack / "pack.json").read_text())
        selection = [f"data.{key}={value}" for key, value in content["selection"].items()]
        size, packed = content["size"], {tuple(row) for row in content["videos"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{pack} is no pack ({error}): make one with experiments/paper_gpu/pack.py") from error
    words = ["data=ucf101", f"data.root={text(str(pack))}", f"data.store={STORE}", f"data.size={size}", "masks=files"]
    if fbm(["prepare", *words, *selection]):
        raise UserError(f"{pack} could not be prepared, for the reason above")
    unpacked = {(v.name, v.split, v.frames, v.masked_frames) for v in read_manifest(STORE).videos}
    if wrong := sorted(packed ^ unpacked):
        where = "packed, and did not come out" if wrong[0] in packed else "not packed"
        raise UserError(
            f"{pack} is damaged or not whole: {wrong[0][0]} ({wrong[0][1]}, {wrong[0][2]} frames, {wrong[0][3]} with "
            f"foreground) was {where} like this; carry it again"
        )
    return content


def command(*words: str) -> int:
    """Run an `fbm` command in this process; gives its exit status. KeyboardInterrupt where a signal ended it."""
    status = fbm(list(words))
    if status > SIGNALLED:
        raise KeyboardInterrupt
    return status


def until(seconds: float, work: Callable[[], None]) -> None:
    """Do `work`, but have it told to end in so many seconds, as a scheduler would. What ends so, or by Ctrl-C, is done.

    fbm's files are whole or not there, whenever it is.
    """
    over = False

    def tell(*_: object) -> None:
        nonlocal over
        over = True
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, signal.default_int_handler), signal.signal(signal.SIGALRM, tell)
    try:
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001), AGAIN)
        work()
    except BaseException as error:  # what is interrupted in its own cleaning up ends in any error
        if not over and not isinstance(error, KeyboardInterrupt | SystemExit | Stopped):
            raise
        print("the time is over" if over else "interrupted", flush=True)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for signum, handler in zip((signal.SIGTERM, signal.SIGALRM), before, strict=True):
            signal.signal(signum, handler)


class Study:
    """What is compared, with the number of epochs that the time allows.

    Args:
        settings: of every run.
        ends: when training must be over, by `clock`.
        most: epochs of a run.
    """

    def __init__(self, settings: Sequence[str], ends: float, clock: Clock = time.monotonic, most: int = MOST) -> None:
        self.settings, self.ends, self.clock, self.most = list(settings), ends, clock, most
        self.epochs: dict[str, int] = {}  # of a run, by stage
        self.costs: dict[str, Cost] = {}  # of a run, by task

    @property
    def left(self) -> float:
        """Seconds until training must be over."""
        return self.ends - self.clock()

    def measure(self) -> None:
        """Train one epoch of each kind, and choose by it how many all have."""
        short = [f"study={TRIAL.name}", "trainer.max_epochs=1", "classify.over.seed=[0]", "report=false"]
        if status := command("study", str(HERE), *short, *self.settings):
            raise UserError(f"the trial of one epoch failed (exit status {status}): nothing is trained")
        _, jobs = self._planned()
        self._choose(jobs, "pretrain", "classify")

    def pretrain(self) -> None:
        """Train both encoders, and choose by the time that is left how many epochs their classification has."""
        declared, jobs = self._planned()
        write_study(declared, jobs)  # for the report, should the time be over before the rest is begun
        run(Launcher(None, declared.study), [job for job in jobs if job.stage == "pretrain"])
        self._choose([job for job in jobs if job.stage == "classify"], "classify")

    def classify(self) -> int:
        """Run all that is left; gives the exit status. What failed before is told here."""
        return command("study", str(HERE), "report=false", *self._own(), *self.settings)

    def _planned(self) -> tuple[StudySpec, list[Job]]:
        declared, groups = read(str(HERE), self._own())
        return declared, plan(declared, self.settings, groups)

    def _own(self) -> list[str]:
        """The study's keys that say how many epochs."""
        pretrain, classify = (self.epochs.get(stage, 1) for stage in ("pretrain", "classify"))
        settings = text([f"trainer.max_epochs={pretrain}"])
        return [f"pretrain.settings={settings}", f"classify.over.trainer.max_epochs=[{classify}]"]

    def _choose(self, jobs: Sequence[Job], *stages: str) -> None:
        known = costs(jobs)
        epochs = epochs_that_fit(jobs, known, self.left, self.most)
        self.epochs |= {stage: epochs * (RATIO if stage == "pretrain" else 1) for stage in stages}
        self.costs |= {job.content["task_name"]: known[job.folder] for job in jobs}
        said = ", ".join(f"{self.epochs[stage]} of each {stage} run" for stage in stages)
        print(f"{duration(self.left)} left to train: epochs {said}", flush=True)


def bring_home(out: Path, study: Study, told: dict[str, Any]) -> tuple[int, int]:
    """Report on what is finished, and leave what is small of it in `out`: summary, table and an archive of the rest.

    Returns:
        How many runs are finished, and how many are not.
    """
    reported = (RESULTS / STUDY).is_file() and not fbm(["report", str(RESULTS)])
    rows = json.loads((RESULTS / STUDY).read_text())["jobs"] if (RESULTS / STUDY).is_file() else []
    finished = [row["folder"] for row in rows if (RESULTS / row["folder"] / SUMMARY).is_file()]
    missing = [row["folder"] for row in rows if row["folder"] not in finished]
    costs = {task: vars(cost) for task, cost in study.costs.items()}
    summary = {**told, "epochs": study.epochs, "costs": costs, "finished": finished, "missing": missing}
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / SUMMARY, json.dumps(summary, indent=1) + "\n")
    if reported:
        write_text(out / TABLE, (RESULTS / "report" / TABLE).read_text())
    with atomic_write(out / "results.tar.gz") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        for path in small_files():
            archive.add(path)
    return len(finished), len(missing)


def small_files() -> Iterator[Path]:
    """What each run tells and the report, but no weights; pictures as long as there is room."""
    told = [path for name in (SUMMARY, METRICS, CONFIG, STUDY) for path in RESULTS.parent.glob(f"{NAME}*/**/{name}")]
    room = LARGEST
    for path in [*sorted(told), *sorted(RESULTS.glob("report/*")), *sorted(RESULTS.glob("*/gallery/*.png"))]:
        if path.is_file() and path.stat().st_size <= room:
            room -= path.stat().st_size
            yield path


def main(argv: list[str] | None = None, clock: Clock = time.monotonic) -> int:
    """All of it: 0 where all is finished or the time was over, 1 where something failed."""
    began = clock()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack", type=Path, help="folder made by pack.py")
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="of every run")
    parser.add_argument("--minutes", type=float, default=9.0, help="that all of it takes (default: %(default)g)")
    parser.add_argument("--out", type=Path, default=Path("outputs", f"{NAME}_results"), help="(default: %(default)s)")
    parser.add_argument("--tiny", action="store_true", help="a tiny network on the processor, to see that it runs")
    given = parser.parse_intermixed_args(argv)
    settings = [*(TINY if given.tiny else []), *given.settings]
    study = Study(settings, began + 60 * given.minutes - REPORT, clock, RATIO if given.tiny else MOST)
    try:
        given.out.mkdir(parents=True, exist_ok=True)  # now, not when the time is over
        content = prepare(given.pack)
    except (UserError, OSError) as error:
        return print_error(error)
    seconds = {"prepare": round(clock() - began, 1)}
    status = 0

    def all_stages() -> None:
        nonlocal status
        for stage in (study.measure, study.pretrain, study.classify):
            before = clock()
            status = stage() or 0
            seconds[stage.__name__] = round(clock() - before, 1)

    try:
        until(study.left, all_stages)
    except UserError as error:
        status = print_error(error)
    pack = {key: value for key, value in content.items() if key != "videos"}
    finished, missing = bring_home(given.out, study, {"pack": pack, "seconds": seconds})
    print(f"{given.out}: {finished} runs finished, {missing} not, in {duration(clock() - began)}")
    return status


def print_error(error: Exception) -> int:
    """One line for what can be mended; gives the exit status."""
    print(f"run.py: error: {error}", file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
