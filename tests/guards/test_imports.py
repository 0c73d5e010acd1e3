"""Who may know whom: the table of the house's plan, held against every import, those inside functions too."""

import ast
from pathlib import Path

import pytest

import fbm

PACKAGE = Path(fbm.__file__).parent
HEAVY = {"torch", "pytorch_lightning", "torchmetrics", "hydra", "omegaconf", "wandb"}
SHARED = {
    "fbm.errors",
    "fbm.suggest",
    "fbm.batch",
    "fbm.files",
    "fbm.run_files",
    "fbm.places",
    "fbm.progress",
    "fbm.__version__",
}

# room: (what of the package it may import beside itself and SHARED, what else it may never import)
ROOMS: dict[str, tuple[set[str], set[str]]] = {
    "models": (set(), HEAVY - {"torch"} | {"numpy"}),
    "losses": ({"fbm.models"}, HEAVY - {"torch"} | {"numpy"}),
    # `fbm masks` reads videos of its own: how they are found and decoded is written once.
    "masks": (
        {"fbm.data.boxes", "fbm.data.ucf101", "fbm.data.decode", "fbm.data.child", "fbm.data.inputs", "fbm.data.below"},
        HEAVY - {"torch"},
    ),
    "data": ({"fbm.masks"}, HEAVY - {"torch"}),
    "tasks": ({"fbm.models", "fbm.losses"}, {"hydra", "omegaconf", "numpy", "av", "cv2", "pathlib", "os", "wandb"}),
    "analysis": (
        {"fbm.models", "fbm.data", "fbm.tasks", "fbm.checkpoints", "fbm.config", "fbm.run_folder", "fbm.machine"},
        {"pytorch_lightning", "hydra", "omegaconf", "wandb"},
    ),
    "callbacks": (
        # A checkpoint holds what the loggers were told, so that they can go on with it.
        {
            "fbm.tasks",
            "fbm.data",
            "fbm.analysis.features",
            "fbm.analysis.fit",
            "fbm.loggers.resumable",
        },
        {"hydra", "omegaconf", "wandb"},
    ),
    "loggers": ({"fbm.checkpoints", "fbm.config"}, {"hydra", "omegaconf", "torch"}),
    "report": (set(), HEAVY),
    "extract": (
        {"fbm.models", "fbm.data.decode", "fbm.data.inputs", "fbm.data.pictures", "fbm.checkpoints", "fbm.machine"},
        HEAVY - {"torch"},
    ),
    "ranks": (
        {"fbm.config", "fbm.fingerprints", "fbm.provenance", "fbm.run_folder", "fbm.machine", "fbm.data.store"}
        | {"fbm.train.bring_to_an_end", "fbm.launch.mendable"},
        {"hydra", "wandb", "torchmetrics"},
    ),
    # `run_folder` reads checkpoints, and they are looked for by the names of a run folder's files: no circle.
    "run_files": (set(), HEAVY),
    "checkpoints": ({"fbm.config", "fbm.models"}, {"pytorch_lightning", "hydra", "wandb"}),
    "diff": ({"fbm.config", "fbm.fingerprints"}, HEAVY),
}


def modules() -> dict[str, Path]:
    """Dotted names of all modules of the package."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


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


def test_the_package_is_looked_at_whole():
    assert set(ROOMS) <= {name.split(".")[1] for name in MODULES if "." in name}
    assert len(MODULES) > 50


def test_imports_are_found_wherever_they_stand(tmp_path):
    (tmp_path / "a.py").write_text("import x.y as z\ndef f():\n    from u import v, w\n    if f:\n        import t\n")
    assert imports(tmp_path / "a.py") == {"x.y", "u.v", "u.w", "t"}


@pytest.mark.parametrize("module", sorted(name for name in MODULES if name.count(".") and name.split(".")[1] in ROOMS))
def test_rooms_know_only_whom_they_may(module):
    room = module.split(".")[1]
    allowed, never = ROOMS[room]
    if module == "fbm.data.datamodule":
        never = never - {"pytorch_lightning"}
    found = imports(MODULES[module])
    strangers = {
        name for name in found if within(name, {"fbm"}) and not within(name, {f"fbm.{room}", *allowed, *SHARED})
    }
    assert not strangers
    assert not {name for name in found if within(name, never)}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_every_module_keeps_the_houses_rules(module):
    found = imports(MODULES[module])
    # One import name: with `lightning` beside it there are two of every class.
    assert not {name for name in found if within(name, {"lightning", "experiments", "tests"})}
    if module != "fbm.config":  # the one place that makes objects of names
        assert not {name for name in found if name.startswith("hydra.utils.")}
        assert "importlib.import_module" not in found


def test_only_the_spine_and_the_rooms_at_the_top_know_all():
    """A room's module may not import the spine, so that none of them can be reached around it."""
    spine = {"fbm.train", "fbm.launch", "fbm.cli", "fbm.jobs", "fbm.completion"}
    spine |= {"fbm.__main__", "fbm.ranks.rank"}  # a process begins there
    for module, path in MODULES.items():
        if module not in spine and not within(module, {"fbm.doctor", "fbm.study", "fbm.bench"}):
            assert not {name for name in imports(path) if within(name, spine)}, module
