"""The pages of reference that the site is built from; the site itself is built, strictly, by `make check`."""

import importlib.util
import re

import pytest

from fbm.config.compose import conf_dir
from tests.conftest import REPOSITORY


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("reference", REPOSITORY / "docs" / "site" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page(reference) -> str:
    return "\n".join(reference.config_page())


def test_every_config_file_has_its_section(page):
    for path in conf_dir().rglob("*.yaml"):
        group = path.parent.relative_to(conf_dir()).as_posix()
        title = f"## fbm {path.stem}" if group == "." else f"### {group}={path.stem}"
        assert f"\n{title}\n" in page


def test_settings_have_their_default_and_meaning(page):
    rows = {
        key: (default, meaning) for key, default, meaning in re.findall(r"^\| `(.*?)` \| (.*) \| (.*) \|$", page, re.M)
    }
    assert rows["seed"] == ("`0`", "of weights, order of clips, windows and flips")
    assert rows["study"][0] in ("required", "`${data.name}`", "`paper`", "`demo`")
    assert rows["callbacks.gallery.every"] == ("`5`", "epochs")
    assert rows["data.quality"][0] == "`null`, or what the store was made with"
    assert rows["hydra.sweeper.n_trials"][1].startswith("in all")
    assert "data.module.store" not in rows  # repeats data.store
    assert "optim._target_" not in rows
    unsaid = {key for key, (_, meaning) in rows.items() if not meaning}
    assert unsaid <= {"encoder.frames", "encoder.size", "hydra.sweeper.study_name"} | {
        key for key in unsaid if key.startswith(("pretrain.", "classify.", "limits."))
    }


def test_every_module_has_its_place(reference):
    pages = "".join(reference.api_page(room) for room in reference.ROOMS)
    for path in (REPOSITORY / "fbm").rglob("*.py"):
        name = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")
        if name not in ("fbm.__main__",) and path.read_text().startswith('"""'):
            assert f"automodule:: {name}\n" in pages


def test_pages_that_stay_the_same_keep_their_time(reference, tmp_path):
    reference.write_reference(tmp_path)
    before = (tmp_path / "config.md").stat().st_mtime_ns
    reference.write_reference(tmp_path)
    assert (tmp_path / "config.md").stat().st_mtime_ns == before
