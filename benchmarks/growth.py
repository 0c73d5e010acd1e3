"""Do time and memory grow no faster than the data? The demo's videos, linked under more and more names."""

import os
import tempfile
import time
from functools import partial
from pathlib import Path

from benchmarks.made_store import make_store
from benchmarks.result import Result, Row, Table
from benchmarks.rounds import in_turn
from benchmarks.startup import peak
from fbm.data.datasets.ucf101 import NAME
from fbm.data.demo import make_demo
from fbm.data.store.frame_store import FrameStore
from fbm.utils.errors import UserError

GROUPS, TESTED, CLIPS, FRAMES = 10, 3, 1, 34  # of the demo's data, a class
GROUPS_MOST = 99  # a group's number has two digits


def bench_growth(times: list[int], opened: int, rounds: int, result: Result) -> None:
    """Fill `result`: seconds and bytes of each stage for each size, less is better."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        make_demo(root / "demo", groups=GROUPS, test_groups=TESTED, clips=CLIPS, frames=FRAMES)
        stages: dict[str, dict[int, list[tuple[float, int]]]] = {}
        for number in times:
            linked = linked_root(root / "demo", root / f"times{number}", number)
            found = in_turn({"all": partial(_stages, linked)}, rounds)["all"]
            for stage in found[0]:
                stages.setdefault(stage, {})[number] = [each[stage] for each in found]
        for stage, sizes in stages.items():
            rows = [
                Row(
                    f"{number} times",
                    [seconds for seconds, _ in values],
                    _memory(values),
                )
                for number, values in sizes.items()
            ]
            title = f"{stage}: the {GROUPS * CLIPS * 6} videos"
            result.tables.append(Table(title, "s", "less", rows, compared="times the first"))
        store = make_store(root / "many", opened, 8, FRAMES)
        values = in_turn({"open": partial(_open, store)}, max(3, rounds))["open"]
        result.tables.append(Table(f"opening a store of {opened:,} videos", "s", "less", [Row("fbm", values)]))


def _memory(values: list[tuple[float, int]]) -> str:
    most = max(most for _, most in values)
    return f"peak {most / 2**20:,.0f} MiB" if most else ""


def linked_root(demo: Path, root: Path, times: int) -> Path:
    """The demo's data `times` over: hard links under the names of further clips of the same groups."""
    if times < 1 or times > GROUPS_MOST:
        raise UserError(f"--times {times} must be from 1 to {GROUPS_MOST}")
    for path in sorted(demo.rglob("*")):
        if path.suffix not in (".avi", ".xgtf", ".txt"):
            continue  # folders, and what says the same in another format
        to = root / path.relative_to(demo)
        to.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".txt":
            to.write_text("".join(_more(line, times) for line in path.read_text().splitlines(keepends=True)))
            continue
        for number in range(times):
            os.link(path, to.with_name(_renamed(path.name, number)))
    return root


def _renamed(name: str, number: int) -> str:
    """The name of the same clip's copy with this number; CLIPS of a group are there already."""
    found = NAME.search(f"x/{name}")
    assert found is not None
    clip = int(found["clip"]) + number * CLIPS
    return name.replace(f"_c{found['clip']}", f"_c{clip:02}")


def _more(line: str, times: int) -> str:
    """A line of a list that names a video, for each of its copies; another line as it is."""
    return "".join(_renamed(line, number) for number in range(times)) if NAME.search(line) else line


def _stages(root: Path) -> dict[str, tuple[float, int]]:
    """Seconds and peak bytes of what is done with a data set, from its files to a report."""
    store, run = root / "store", root / "outputs" / "run"
    data = ["data=demo", f"data.root={root}", "data.generate=null", f"data.store={store}", "data.size=32"]
    tiny = ["encoder.width=2", "trainer=cpu", "trainer.max_epochs=1", "logger=csv", "callbacks.progress=null"]
    train = ["train", "task=classify", *data, *tiny, f"run_dir={run}", "overwrite=true", "test=true"]
    found = {"fbm prepare": peak(["prepare", *data])}
    found["fbm prepare, nothing to do"] = peak(["prepare", *data])
    found["opening the store"] = _open(store), 0
    found["fbm train, one batch"] = peak(
        [*train, "trainer.limit_train_batches=1", "trainer.limit_val_batches=1", "test=false"]
    )
    found["fbm train, one epoch and the test"] = peak(train)
    found["fbm report"] = peak(["report", str(run), "--out", str(root / "report")])
    return found


def _open(store: Path) -> float:
    began = time.perf_counter()
    FrameStore(store)
    return time.perf_counter() - began
