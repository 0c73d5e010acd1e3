"""Draw docs/architecture.png from the imports of the package, and print its figures: python docs/architecture.py."""

import argparse
import ast
import statistics
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

ROOT = Path(__file__).resolve().parents[1]
# From the command to the tensors; rooms of one layer beside each other.
LAYERS = (
    ("cli",),
    ("study",),
    ("training",),
    ("evaluation",),
    ("report",),
    ("tasks", "runs"),
    ("config",),
    ("data", "models"),
    ("utils", "scores"),
)
METHOD = ("models", "tasks")  # the rooms that are the method itself
WIDTH, HEIGHT = 4.6, 0.8


def modules(root: Path) -> dict[str, Path]:
    """Dotted names of the package's modules."""
    return {_dotted(path.relative_to(root.parent)): path for path in sorted(root.rglob("*.py"))}


def _dotted(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> Iterator[str]:
    """Dotted names that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)


def room(name: str) -> str | None:
    """The room of a module of the package."""
    parts = name.split(".")
    return parts[1] if parts[0] == "fbm" and len(parts) > 1 and any(parts[1] in layer for layer in LAYERS) else None


def imports_between_rooms() -> Counter[tuple[str, str]]:
    """How many imports go from one room to another."""
    found: Counter[tuple[str, str]] = Counter()
    for module, path in modules(ROOT / "fbm").items():
        for name in imported(path):
            ends = room(module), room(name)
            if ends[0] and ends[1] and ends[0] != ends[1]:
                found[ends[0], ends[1]] += 1
    return found


def draw(path: Path) -> None:
    """A box a room, an arrow for imports: thicker for more, red where it would go upwards."""
    figure = Figure(figsize=(11, 9.3), layout="constrained")
    axis = figure.subplots()
    places = {}
    for depth, layer in enumerate(LAYERS):
        for number, name in enumerate(layer):
            places[name] = (5.6 * number - 2.8 * (len(layer) - 1), -1.45 * depth)
    for (user, used), count in sorted(imports_between_rooms().items()):
        (x, y), (u, v) = places[user], places[used]
        upwards = v > y
        side = 0.12 if abs(x - u) < 0.1 and y - v > 2 else 0.0
        arrow = FancyArrowPatch(
            (x + (0 if x == u else 0.25 * (u - x)), y - HEIGHT / 2),
            (u, v + HEIGHT / 2),
            arrowstyle="-|>",
            mutation_scale=9,
            linewidth=0.5 + count / 12,
            color="crimson" if upwards else "#7a8ca3",
            alpha=0.6,
            connectionstyle=f"arc3,rad={side}",
        )
        axis.add_patch(arrow)
    for name, (x, y) in places.items():
        box = FancyBboxPatch(
            (x - WIDTH / 2, y - HEIGHT / 2),
            WIDTH,
            HEIGHT,
            boxstyle="round,pad=0.06",
            facecolor="white",
            edgecolor="#24405f",
        )
        axis.add_patch(box)
        files = list((ROOT / "fbm" / name).rglob("*.py"))
        lines = sum(len(file.read_text().splitlines()) for file in files)
        axis.text(x, y + 0.2, f"fbm/{name}", ha="center", va="center", fontsize=11, weight="bold", color="#24405f")
        axis.text(x, y - 0.08, _purpose(name), ha="center", va="center", fontsize=6.6)
        axis.text(
            x, y - 0.3, f"{len(files)} files, {lines:,} lines", ha="center", va="center", fontsize=6.5, color="gray"
        )
    axis.set_xlim(-6.2, 6.2)
    axis.set_ylim(-1.45 * len(LAYERS) + 0.7, 0.7)
    axis.set_axis_off()
    figure.savefig(path, dpi=110)


def _purpose(name: str) -> str:
    text = ast.get_docstring(ast.parse((ROOT / "fbm" / name / "__init__.py").read_text())) or ""
    return text.splitlines()[0].split(". ")[0].rstrip(".") if text else ""


def figures() -> Iterator[str]:
    """Sizes of the package, a line each."""
    files = modules(ROOT / "fbm")
    lengths = {name: len(path.read_text().splitlines()) for name, path in files.items()}
    trees = [ast.parse(path.read_text()) for path in files.values()]
    functions = [
        (node.end_lineno or 0) - node.lineno + 1
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    total = sum(lengths.values())
    method = sum(length for name, length in lengths.items() if room(name) in METHOD)
    between = imports_between_rooms()
    above = {name: depth for depth, layer in enumerate(LAYERS) for name in layer}
    yield f"files {len(files)}, lines {total:,}"
    yield f"file: median {statistics.median(lengths.values()):g}, longest {max(lengths.values())} lines"
    yield f"functions {len(functions):,}: median {statistics.median(functions):g}, longest {max(functions)} lines"
    yield f"the method ({', '.join(METHOD)}): {method:,} lines, {method / total:.1%}"
    yield f"imports between rooms {between.total()}, upwards {sum(above[b] < above[a] for a, b in between)}"


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    draw(ROOT / "docs" / "architecture.png")
    print("\n".join(figures()))
