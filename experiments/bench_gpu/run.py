"""Training steps at the paper's size on one GPU: precision, compiled or not, batch size, memory. Needs no network.

What matters most comes first; what the time does not suffice for is named and left out. Figures are written as they
come, so that nothing is lost when a call ends early.
"""

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fbm.bench.programs import measure
from fbm.bench.result import machine
from fbm.bench.rounds import alone
from fbm.errors import UserError
from fbm.files import write_text
from fbm.provenance import versions

TASKS = ("disentangle", "classify", "autoencode")
PAPER = ["encoder=c3d", "data.size=128", "trainer=gpu"]
TINY = ["encoder.width=4", "data.size=32", "trainer=cpu"]
PRECISIONS = {"bf16": ["trainer.precision=bf16-mixed"], "TF32": ["trainer.precision=32-true", "float32_matmul=high"]}


def cases(tiny: bool) -> list[tuple[str, str, int, list[str]]]:
    """What to measure, the most important first: name, program, clips in a batch, settings."""
    precisions = {"fp32": ["trainer.precision=32-true"]} if tiny else PRECISIONS
    first = next(iter(precisions))
    batch, larger = (4, (8,)) if tiny else (40, (80, 160))
    made = [
        (f"{task}, {name}, batch {batch}", "ours", batch, [f"task={task}", *chosen])
        for name, chosen in precisions.items()
        for task in TASKS
    ]
    for task in TASKS:
        chosen = [f"task={task}", *precisions[first]]
        name = f"{task}, {first}"
        made.append((f"{name}, batch {batch}: bare loop", "bare", batch, chosen))
        if not tiny:
            made.append((f"{name}, batch {batch}, compiled", "ours", batch, [*chosen, "compile=true"]))
        made.append((f"{name}, batch {batch}: convolutions and products alone", "floor", batch, chosen))
        made += [(f"{name}, batch {size}", "ours", size, chosen) for size in larger]
        again = [*chosen, "activation_checkpointing=true"]
        made.append((f"{name}, batch {larger[-1]}, activation checkpointing", "ours", larger[-1], again))
        made.append((f"{name}, batch {batch}: straightforward program", "plain", batch, chosen))
    return made


def main() -> None:
    """Print a table and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=9.0, help="no measure begins after (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=20, help="that count (default: %(default)s)")
    parser.add_argument("--tiny", action="store_true", help="a tiny network on the processor, to see that it runs")
    parser.add_argument("--out", type=Path, default=Path("outputs/bench/gpu.json"))
    given = parser.parse_args()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    print(f"{machine()}\n\n| | clips/s | ms a step | peak MiB | |\n| --- | --- | --- | --- | --- |", flush=True)
    began, rows, left_out = time.monotonic(), [], []
    for name, program, batch, settings in cases(given.tiny):
        if time.monotonic() - began > 60 * given.minutes:
            left_out.append(name)
            continue
        base = TINY if given.tiny else PAPER
        try:
            found = alone(measure, program, [*base, f"data.batch_size={batch}", *settings], given.steps)
            row: dict[str, Any] = {"name": name, "program": program, "batch": batch, **asdict(found)}
            share = found.detail.get("time/flop_share")
            note = f"{share:.0%} of the device's peak" if share is not None else ""
            peak = f"{found.peak / 2**20:,.0f}" if found.peak else ""
            print(
                f"| {name} | {batch / found.seconds:,.0f} | {1e3 * found.seconds:,.1f} | {peak} | {note} |", flush=True
            )
        except (UserError, RuntimeError) as error:  # memory that ends, above all
            row = {"name": name, "program": program, "batch": batch, "failed": str(error).splitlines()[0]}
            print(f"| {name} | | | | {row['failed']} |", flush=True)
        rows.append(row)
        content = {"machine": machine(), "versions": versions(), "rows": rows}
        write_text(given.out, json.dumps(content, indent=1, default=str) + "\n")
    if left_out:
        print(f"\nNot measured, the time was over: {'; '.join(left_out)}")


if __name__ == "__main__":
    main()
