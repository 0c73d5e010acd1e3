"""Training steps at the paper's size on one GPU, in one process and one call: right first, then fast. Needs no network.

Cases run in the order of their importance; what does not fit into the time is named. Every figure is written as soon as
there is one, and the same command again goes on from there.
"""

import argparse
import gc
import hashlib
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

try:
    import torch
    from table import text

    from benchmarks.agreement import agreement
    from benchmarks.cases import Case, Outcome, Record, run_cases
    from benchmarks.programs import measure
    from benchmarks.result import machine
    from fbm.runs.code import listing
    from fbm.runs.provenance import versions
    from fbm.utils.errors import UserError
    from fbm.utils.files import write_text
except ModuleNotFoundError as error:
    sys.exit(f"{error}: experiments/bare_machine/README.md says how a machine without fbm's packages gets them")

TASKS = ("disentangle", "classify", "autoencode")
PAPER = ["encoder=c3d", "data.size=128", "trainer=gpu"]
TINY = ["encoder.width=4", "data.size=32", "trainer=cpu"]
PRECISIONS = {
    "bf16": ["trainer.precision=bf16-mixed"],
    "TF32": ["trainer.precision=32-true", "float32_matmul=high"],  # on a processor float32 itself
}
# Seconds of a case at the most, until one of its kind is measured.
EXPECTED = {"correctness": 60, "steps": 40, "compiled steps": 150, "profile": 40, "compiled profile": 150, "peer": 60}
KERNELS = 25  # of a profile, that are kept


def cases(tasks: list[str], batches: list[int], steps: int, base: list[str]) -> list[Case]:
    """What to measure, the most important first."""
    first = batches[0]

    def steps_of(precision: str, batch: int, compiled: bool = False, more: str = "") -> list[Case]:
        chosen = [*base, *PRECISIONS[precision], f"data.batch_size={batch}", *more.split()]
        if compiled:
            chosen.append("compile=true")
        name = f"{precision}, {batch} clips{', compiled' * compiled}{f', {more}' * bool(more)}"
        kind = "compiled steps" if compiled else "steps"
        return [_case(f"{task}, {name}", kind, partial(_steps, task, batch, chosen, steps)) for task in tasks]

    def other(program: str, name: str, kind: str, *more: str) -> list[Case]:
        chosen = [*base, *PRECISIONS["bf16"], f"data.batch_size={first}", *more]
        return [
            _case(
                f"{task}, bf16, {first} clips: {name}",
                kind,
                partial(_other, program, first, [f"task={task}", *chosen], steps),
            )
            for task in tasks
        ]

    right = [_case(f"{task}: correctness", "correctness", partial(_right, task, base)) for task in tasks]
    made = [*right, *steps_of("bf16", first), *steps_of("bf16", first, compiled=True)]
    made += other("profile", "profile", "profile")
    for batch in batches[1:]:
        made += steps_of("bf16", batch)
    made += steps_of("TF32", first)
    for batch in batches[1:]:
        made += steps_of("bf16", batch, compiled=True)
    made += other("profile", "profile, compiled", "compiled profile", "compile=true")
    made += other("bare", "bare loop", "peer") + other("floor", "convolutions and products alone", "peer")
    made += steps_of("bf16", batches[-1], more="activation_checkpointing=true") + steps_of("TF32", first, compiled=True)
    for batch in batches[1:]:
        made += steps_of("TF32", batch) + steps_of("TF32", batch, compiled=True)
    return made + other("plain", "straightforward program", "peer")


def _case(name: str, kind: str, measured: Callable[[], dict[str, Any]]) -> Case:
    def alone() -> dict[str, Any]:
        # What an earlier case, failed or not, left in memory would count as this one's.
        gc.collect()
        torch.cuda.empty_cache()
        return measured()

    return Case(name, kind, alone)


def _right(task: str, base: list[str]) -> dict[str, Any]:
    return agreement([*base, f"task={task}", "data.batch_size=4"])


def _steps(task: str, clips: int, settings: list[str], steps: int) -> dict[str, Any]:
    found = measure("ours", [*settings, f"task={task}"], steps)
    return {"task": task, "clips": clips, "seconds": found.seconds, "peak": found.peak, **found.detail}


def _other(program: str, clips: int, settings: list[str], steps: int) -> dict[str, Any]:
    found = measure(program, settings, steps)
    detail = {name: asdict(value) for name, value in found.detail.items()}
    if program == "profile":
        del detail["profile"]["kernels"][KERNELS:]
    return {"clips": clips, "steps": steps, "seconds": found.seconds, "peak": found.peak, "detail": detail}


def heading(given: argparse.Namespace) -> dict[str, Any]:
    """What the figures belong to."""
    code = hashlib.sha256(listing({}).encode()).hexdigest()[:16]
    said = {"machine": machine(), "code": code, "steps": given.steps, "tiny": given.tiny, "versions": versions()}
    if torch.cuda.is_available():
        device = torch.cuda.get_device_properties(0)
        said |= {"gpu_memory_gib": round(device.total_memory / 2**30, 1), "cudnn": torch.backends.cudnn.version()}
        said |= {"cuda": torch.version.cuda, "capability": f"{device.major}.{device.minor}"}
    return said


def main() -> None:
    """Measure, and write results.json and results.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=520, help="from when all is imported (default: %(default)g)")
    parser.add_argument("--steps", type=int, default=20, help="that count, of a case (default: %(default)s)")
    parser.add_argument("--tasks", default=",".join(TASKS), metavar="A,B", help="(default: %(default)s)")
    parser.add_argument(
        "--tiny", action="store_true", help="a tiny network on the processor, to see that all of it runs"
    )
    parser.add_argument("--out", type=Path, default=Path("outputs/bench/gpu"), help="a folder (default: %(default)s)")
    given = parser.parse_args()
    tasks = given.tasks.split(",")
    if wrong := [task for task in tasks if task not in TASKS]:
        parser.error(f"--tasks {','.join(wrong)}: it should be of {', '.join(TASKS)}")
    if given.steps < 1:
        parser.error(f"--steps {given.steps}: it should be at least 1")
    if not given.tiny and not torch.cuda.is_available():
        sys.exit("torch finds no GPU here; --tiny shows on the processor that all of it runs")
    began = time.monotonic()
    if given.tiny:
        given.steps = 2
        # Graphs are captured as always, and run as they are: what is compiled of them takes a minute each.
        torch.compile = partial(torch.compile, backend="eager")
    try:
        record = Record(given.out / "results.json", heading(given))
    except UserError as error:
        sys.exit(str(error))
    chosen = cases(tasks, [2] if given.tiny else [40, 80, 120], given.steps, TINY if given.tiny else PAPER)
    print(f"{machine()}\n{len(chosen)} cases, {given.seconds:g} s", flush=True)

    def told(outcome: Outcome) -> None:
        write_text(given.out / "results.md", text(record))
        passed = time.monotonic() - began
        print(f"{passed:5.0f} s  {outcome.name}: {outcome.why or 'done'} ({outcome.seconds:.1f} s)", flush=True)

    run_cases(chosen, record, began + given.seconds, EXPECTED, told)
    write_text(given.out / "results.md", text(record))
    print(f"\n{text(record)}\n{given.out}/results.json, {given.out}/results.md")
    beyond = [
        f"{name}, {compared}: {one['beyond'][0]}"
        for name, outcome in record.outcomes.items()
        if outcome.kind == "correctness"
        for compared, one in outcome.found.items()
        if one["beyond"]
    ]
    if beyond:
        sys.exit("\n".join(beyond))


if __name__ == "__main__":
    main()
