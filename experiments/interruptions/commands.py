"""The two commands that are killed: what they run, how far they are, and whether two ends are the same."""

import json
import re
import shutil
from abc import ABC, abstractmethod
from pathlib import Path

from attempts import start
from same import differing_files, differing_runs

from fbm.data.store.journal import JOURNAL

DEMO = {"groups": 5, "test_groups": 1, "clips": 2}  # sixty videos
PHASE = "phase.txt"  # written by phase.Phase


class Command(ABC):
    """A command on a small demo set, which is made here once, in folders of its own.

    Args:
        folder: for everything.
        settings: more of the command's.
    """

    name: str
    frames: int  # of the shortest video
    size: int  # of the stored frames

    def __init__(self, folder: Path, settings: list[str]) -> None:
        self.folder, self.settings = folder, settings
        self.data = folder / self.name / "data"

    def common(self) -> list[str]:
        """Settings of the small data set."""
        sizes = [f"data.generate.{key}={value}" for key, value in {**DEMO, "frames": self.frames}.items()]
        own = [setting for setting in self.settings if setting.startswith("data.")]
        return [f"data.root={self.data}", f"data.size={self.size}", *sizes, *own]

    @abstractmethod
    def make_ready(self) -> None:
        """Make what the command starts from."""

    @abstractmethod
    def arguments(self) -> list[str]:
        """The command line behind `fbm`."""

    def forget(self, folder: Path) -> None:
        """Forget where an earlier start was killed."""
        (folder / PHASE).unlink(missing_ok=True)

    @abstractmethod
    def phase(self, folder: Path) -> str:
        """Where a killed one was."""

    @abstractmethod
    def went_on(self, said: str) -> str:
        """Where the next one began, from what it printed."""

    @abstractmethod
    def differences(self, one: Path, other: Path) -> list[str]:
        """What differs between two finished ones."""

    def prepare(self, store: Path, folder: Path) -> None:
        """Run `fbm prepare` undisturbed.

        Raises:
            SystemExit: it failed.
        """
        attempt = start(["prepare", *self.common(), f"data.store={store}"], folder)
        if attempt.process.wait():
            raise SystemExit(attempt.said.read_text())

    def clear(self, folder: Path) -> None:
        """An empty folder for one run."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)


class Train(Command):
    """`fbm train` with all there is: augmentation, a schedule, validation, early stopping, pictures, probes, test."""

    name, frames, size = "train", 34, 32

    def make_ready(self) -> None:
        self.clear(self.folder / "train" / "store")
        self.prepare(self.folder / "train" / "store", self.folder / "train")

    def arguments(self) -> list[str]:
        return [
            *("train", *self.common(), "data.store=../store", "data.batch_size=4", "data.num_workers=1", "run_dir=run"),
            *("task=disentangle", "encoder.width=4", "schedule=one_cycle", "trainer=cpu", "trainer.max_epochs=6"),
            *("test=true", "logger=csv", "callbacks.progress=null", "callbacks.last.minutes=0.005"),
            *("callbacks.gallery.every=2", "callbacks.probes.every=2", "callbacks.probes.clips=16"),
            *("+callbacks.phase._target_=phase.Phase", f"+callbacks.phase.path={PHASE}", *self.settings),
        ]

    def phase(self, folder: Path) -> str:
        path = folder / PHASE
        if not path.is_file():
            return "start-up"
        phase = path.read_text()
        half = [left.name[1:].rsplit(".", 2)[0] for left in (folder / "run").rglob(".*.part")]
        return f"{phase}, {' and '.join(half)} half written" if half else phase

    def went_on(self, said: str) -> str:
        found = re.search(r"resumes after (.*)", said)
        if "is finished already" in said:
            return "was finished"
        return f"went on after {found[1]}" if found else "began anew"

    def differences(self, one: Path, other: Path) -> list[str]:
        return differing_runs(one / "run", other / "run")


class Prepare(Command):
    """`fbm prepare`, the data set being there."""

    name, frames, size = "prepare", 400, 64

    def make_ready(self) -> None:
        self.clear(self.folder / "prepare" / "first")
        self.prepare(self.folder / "prepare" / "first", self.folder / "prepare")

    def arguments(self) -> list[str]:
        return ["prepare", *self.common(), "data.store=store", *self.settings]

    def phase(self, folder: Path) -> str:
        store = folder / "store"
        journal = store / JOURNAL
        if (store / "manifest.json").is_file():
            return "the manifest is written"
        if not journal.is_file():
            return "start-up"
        whole = [line for line in journal.read_text().splitlines() if _is_json(line)]
        half = len(list(store.rglob(".*.part")))
        return f"{len(whole)} videos done, {half} files half written"

    def went_on(self, said: str) -> str:
        found = re.search(r"(\d+) prepared now|nothing to do", said)
        return f"then prepared {found[1] or 0}" if found else "?"

    def differences(self, one: Path, other: Path) -> list[str]:
        return differing_files(one / "store", other / "store")


def _is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
