"""docs/tutorials/demo.ipynb: its cells run, on less data and with fewer epochs."""

import json

import pytest

from tests.conftest import REPOSITORY

NOTEBOOK = REPOSITORY / "docs" / "tutorials" / "demo.ipynb"
QUICK = """
PREPARE = ["data.generate.groups=5", "data.generate.test_groups=1", "data.generate.clips=1", "data.size=32"]
TRAIN = ["trainer.max_epochs=2", "trainer=cpu", "encoder.width=4", "logger=csv", "callbacks.progress=null"]
"""


def cells() -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(NOTEBOOK.read_text())["cells"]
    return [cell for cell in found if cell["cell_type"] == "code"]


@pytest.mark.slow
def test_its_cells_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, *rest = ["".join(cell["source"]) for cell in cells()]  # type: ignore[arg-type]
    names: dict[str, object] = {}
    exec(first, names)
    assert {"PREPARE", "TRAIN"} < set(names)
    exec(QUICK, names)
    for source in rest:
        exec(source, names)
    runs = sorted(path.name.split("-")[0] for path in (tmp_path / "outputs" / "demo").iterdir())
    assert runs == ["classify", "classify", "disentangle_mask"]


def test_it_is_committed_with_its_results():
    shown = [output for cell in cells() for output in cell["outputs"]]  # type: ignore[attr-defined]
    assert not [output for output in shown if output["output_type"] == "error"]
    assert sum("image/png" in output.get("data", {}) for output in shown) == 3
    assert [cell["execution_count"] for cell in cells()] == list(range(1, len(cells()) + 1))
