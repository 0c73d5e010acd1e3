"""A training step of fbm, against a bare loop, a straightforward program, and its convolutions alone."""

from functools import partial

from hydra.errors import HydraException
from omegaconf import DictConfig

from benchmarks.programs import Measured, measure
from benchmarks.result import Result, Row, Table
from benchmarks.rounds import alone, in_turn
from fbm.config.compose import compose
from fbm.config.messages import explain_hydra_error
from fbm.utils.errors import UserError
from fbm.utils.suggest import did_you_mean

NAMES = {
    "ours": "fbm train",
    "bare": "a bare loop over the same network, batches at hand",
    "plain": "the straightforward program",
    "floor": "its convolutions and products alone",
}


def bench_step(
    tasks: list[str], programs: list[str], steps: int, rounds: int, settings: list[str], result: Result
) -> None:
    """Fill `result`: for each task seconds a step, less is better, and where time and memory go.

    Args:
        programs: "ours", and which of `NAMES` it is compared with.
        steps: that count, in each round.
        settings: of `fbm train`.
    """
    for program in programs:
        if program not in NAMES:
            raise UserError(f"--programs {program}: no such program{did_you_mean(program, NAMES)}")
    if programs[0] != "ours":
        raise UserError(f"--programs {','.join(programs)}: it must begin with ours")
    for task in tasks:
        given = [f"task={task}", *settings]
        config = _composed(given)
        found = in_turn({name: partial(alone, measure, name, given, steps) for name in programs}, rounds)
        seconds = {name: [each.seconds for each in measured] for name, measured in found.items()}
        size, batch = config.data.size, config.data.batch_size
        title = f"{task}, encoder width {config.encoder.get('width')}, {batch} clips of {size} x {size}"
        rows = [Row(NAMES[name], values, _memory(found[name])) for name, values in seconds.items()]
        result.tables.append(Table(title, "s a step", "less", rows))
        result.notes += _notes(task, found)


def _composed(settings: list[str]) -> DictConfig:
    try:
        return compose(settings)
    except HydraException as error:
        raise UserError(explain_hydra_error(error, "train")) from error


def _memory(measured: list[Measured]) -> str:
    peak = max(each.peak for each in measured)
    return f"peak {peak / 2**20:,.0f} MiB" if peak else ""


def _notes(task: str, found: dict[str, list[Measured]]) -> list[str]:
    """Where the time of a pass goes, and what its memory is for."""
    if "floor" not in found:
        return []
    newest = found["floor"][-1].detail
    shares = ", ".join(f"{kind} {share:.0%}" for kind, share in newest["floor"].shares.items())
    memory = newest["memory"]
    parts = ", ".join(
        f"{name} {getattr(memory, name) / 2**20:,.0f}" for name in ("parameters", "gradients", "state", "activations")
    )
    peak = max(each.peak for each in found["ours"])
    return [
        f"{task}: of the time in operators of one forward and backward pass: {shares}.",
        f"{task}: the step needs {memory.total / 2**20:,.0f} MiB ({parts}); "
        f"fbm train took {peak / 2**20:,.0f} MiB at the most, {peak / memory.total:.2f} times as much.",
    ]
