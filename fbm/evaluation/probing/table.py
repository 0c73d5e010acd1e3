"""What an analysis found, on the terminal: a table a run."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from fbm.evaluation.probing.work import FILE, Analysed


def tell(done: Sequence[Analysed]) -> None:
    """Print a table for each run, and where its files are."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=120)  # a pipe has no width of its own
    for run in done:
        console.print(table(run))
        for line in (*_says(run.content), *_files(run)):
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def table(run: Analysed) -> Table:
    """Parts down, factors across: accuracy in % on test clips with its interval, chance, and effective ranks."""
    content = run.content
    factors = list(dict.fromkeys(probe["factor"] for probe in content["probes"]))
    made = Table("features", *factors, "effective rank", title=f"{run.folder}: linear probes, % of test clips")
    for part, rank in content["effective_rank"].items():
        made.add_row(part, *_cells(content["probes"], part, factors), f"{rank:.1f}")
    made.add_section()
    made.add_row(
        "all, untrained", *_cells(content["control"], "all", factors), f"{content['control_effective_rank']:.1f}"
    )
    chances = {probe["factor"]: probe["chance"] for probe in content["probes"]}
    made.add_row("chance", *(f"{100 * chances[factor]:.0f}" for factor in factors), "")
    return made


def _cells(probes: list[dict[str, Any]], part: str, factors: list[str]) -> list[str]:
    own = {probe["factor"]: probe for probe in probes if probe["part"] == part}
    return [f"{100 * (p := own[f])['accuracy']:.0f} ({100 * p['low']:.0f} to {100 * p['high']:.0f})" for f in factors]


def _says(content: dict[str, Any]) -> list[str]:
    lines = [f"in brackets: {content['interval']}"]
    if content["diagonality"]:
        value, low, high = (content["diagonality"][key] for key in ("value", "low", "high"))
        lines.append(
            f"diagonality {value:.2f} ({low:.2f} to {high:.2f}): 0 where the parts hold the same, 1 where each holds "
            "its own factor alone"
        )
    return lines


def _files(run: Analysed) -> list[str]:
    made = ", ".join(str(run.folder / name) for name in (FILE, *run.content["pictures"]))
    return [made if run.fresh else f"{made} (made before; --overwrite makes them anew)", ""]
