"""From a question to its answer, printed and written."""

import shlex
from argparse import Namespace
from pathlib import Path

from benchmarks.result import Result
from fbm.utils.errors import UserError

OUT = Path("outputs/benchmarks")


def ask(asked: Namespace, argv: list[str]) -> None:
    """Measure what `asked` (of `benchmarks.parser`) is about.

    Raises:
        UserError: what is to be measured is not there, or an option is out of range.
    """
    result = Result(asked.question, shlex.join(["python", "-m", "benchmarks", *argv]))
    if asked.question == "input":
        from benchmarks.clips import bench_clips

        bench_clips(asked.store, asked.root, asked.batch, asked.batches, asked.rounds, result)
    elif asked.question == "prepare":
        from benchmarks.preparation import bench_prepare

        bench_prepare(asked.root, asked.files, asked.size, asked.rounds, result)
    elif asked.question == "step":
        from benchmarks.step import bench_step

        bench_step(asked.tasks.split(","), asked.programs.split(","), asked.steps, asked.rounds, asked.settings, result)
    elif asked.question == "startup":
        from benchmarks.startup import bench_startup

        bench_startup(asked.settings, asked.rounds, result)
    elif asked.question == "files":
        from benchmarks.open_files import bench_open_files

        bench_open_files(asked.videos, asked.limit, asked.batch, asked.rounds, result)
    elif asked.question == "shards":
        from benchmarks.shards import bench_shards

        bench_shards(asked.videos, asked.shards, asked.size, asked.rounds, result)
    else:
        from benchmarks.growth import bench_growth

        bench_growth(_numbers(asked.times), asked.open, asked.rounds, result)
    print(result.text())
    out = asked.out or OUT / f"{asked.question}.json"
    result.write(out)
    print(f"\nall figures: {out}")


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise UserError(f"--times {text}: numbers with commas between them, like 1,4,16") from error
