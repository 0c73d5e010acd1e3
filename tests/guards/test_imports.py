"""Who may know whom: the table of the house's plan, held against every import, those inside functions too."""

import ast
import functools
from pathlib import Path

import pytest

import fbm

PACKAGE = Path(fbm.__file__).parent
TOP = {"fbm", "fbm.__version__"}
HEAVY = {"torch", "pytorch_lightning", "torchmetrics", "hydra", "omegaconf", "wandb"}
# From the command to the tensors: a room may import itself and those behind it, never one before it.
ORDER = (
    "cli",
    "study",
    "training",
    "evaluation",
    "report",
    "tasks",
    "runs",
    "config",
    "data",
    "models",
    "scores",
    "utils",
)
# Rooms that import less than that, so that they can be used and tested alone.
ONLY: dict[str, set[str]] = {
    "models": {"fbm.utils.errors", "fbm.utils.memory"},
    "scores": set(),  # for other people's programs
    "data": {"fbm.utils"},
    "data.decoding": {"fbm.utils"},
    "data.datasets": {"fbm.data.dataset", "fbm.data.decoding", "fbm.utils"},
    "tasks": {"fbm.models", "fbm.data.batch", "fbm.utils.errors"},
    "report": {
        "fbm.config.keys",
        "fbm.config.renamed",
        "fbm.runs.bias",
        "fbm.runs.files",
        "fbm.runs.probes",
        "fbm.runs.summary",
        "fbm.utils",
    },
    "runs": {"fbm.config", "fbm.models", "fbm.utils"},
    "training.loggers": {"fbm.runs", "fbm.config", "fbm.utils", "fbm.training.callbacks"},
}
# What a room may never import: it would be slow to load, or be bound to a library that is not its business.
NEVER: dict[str, set[str]] = {
    "models": HEAVY - {"torch"} | {"numpy"},
    "scores": HEAVY | {"pydantic", "rich", "av", "cv2", "matplotlib"},
    "data": HEAVY - {"torch"},
    "tasks": {"hydra", "omegaconf", "numpy", "av", "cv2", "pathlib", "os", "wandb"},
    "evaluation": {"hydra", "omegaconf", "wandb"},
    "evaluation.finished": HEAVY,
    "report": HEAVY,
    "training.callbacks": {"hydra", "omegaconf", "wandb"},
    "training.early": HEAVY - {"omegaconf"},
    "training.loggers": {"hydra", "omegaconf", "torch"},
    "training.distributed": {"hydra", "wandb", "torchmetrics"},
    "runs.bias": HEAVY,
    "runs.files": HEAVY,
    "runs.locate": HEAVY,
    "runs.probes": HEAVY,
    "runs.summary": HEAVY,
    "runs.checkpoints": {"pytorch_lightning", "hydra", "wandb"},
    "config.keys": HEAVY,
    "utils": HEAVY - {"torch", "pytorch_lightning", "omegaconf"},
}


def modules() -> dict[str, Path]:
    """Dotted names of all modules of the package."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


@functools.cache
def imports(path: Path) -> set[str]:
    """Everything that a file imports, dotted: `from a import b` counts as `a.b`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


def within(name: str, rooms: set[str]) -> bool:
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


def test_every_room_has_its_place():
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert rooms == set(ORDER)
    assert {path.stem for path in PACKAGE.glob("*.py")} == {"__init__", "__main__"}
    assert {name for room in {*ONLY, *NEVER} for name in MODULES if within(name, {f"fbm.{room}"})}


def test_imports_are_found_wherever_they_stand(tmp_path):
    (tmp_path / "a.py").write_text("import x.y as z\ndef f():\n    from u import v, w\n    if f:\n        import t\n")
    assert imports(tmp_path / "a.py") == {"x.y", "u.v", "u.w", "t"}


def strangers(module: str, allowed: set[str]) -> set[str]:
    """What a module imports of the package besides its top and `allowed`."""
    ours = {name for name in imports(MODULES[module]) if within(name, {"fbm"}) and name != "fbm"}
    return {name for name in ours if not within(name, allowed)}


@pytest.mark.parametrize("module", sorted(name for name in MODULES if within(name, {f"fbm.{room}" for room in ORDER})))
def test_imports_go_one_way(module):
    room = module.split(".")[1]
    behind = {f"fbm.{other}" for other in ORDER[ORDER.index(room) :]} | {"fbm.__version__"}
    assert not strangers(module, behind)


@pytest.mark.parametrize("room", ONLY)
def test_rooms_that_stand_alone(room):
    allowed = {f"fbm.{room}", *ONLY[room]}
    for module in (name for name in MODULES if within(name, {f"fbm.{room}"})):
        assert not strangers(module, allowed), module


@pytest.mark.parametrize("room", NEVER)
def test_rooms_are_free_of_what_is_not_their_business(room):
    for module in (name for name in MODULES if within(name, {f"fbm.{room}"})):
        never = NEVER[room] - ({"pytorch_lightning"} if module == "fbm.data.datamodule" else set())
        assert not {name for name in imports(MODULES[module]) if within(name, never)}, module


@pytest.mark.parametrize("module", sorted(MODULES))
def test_every_module_keeps_the_houses_rules(module):
    found = imports(MODULES[module])
    # One import name: with `lightning` beside it there are two of every class.
    assert not {name for name in found if within(name, {"lightning", "experiments", "tests", "benchmarks"})}
    if module != "fbm.config.targets":  # the one place that imports by name
        assert not {name for name in found if name.startswith("hydra.utils.")}
        assert "importlib.import_module" not in found


def test_there_is_no_circle():
    """Not within a room either; imports inside functions count.

    The package itself is the Python API, above all rooms. Inside, its name stands for its version and place alone.
    """
    known = {
        module: {other for name in imports(path) - TOP if (other := _module(name)) not in (None, module)}
        for module, path in MODULES.items()
    }
    done: set[str] = set()

    def follow(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " -> ".join([*above[above.index(module) :], module])
        if module not in done:
            for other in sorted(known[module]):
                follow(other, (*above, module))
            done.add(module)

    for module in sorted(known):
        follow(module, ())


def _module(name: str) -> str | None:
    """The module that `name` is or is in."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name or None
