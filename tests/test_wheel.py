import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import fbm

ROOT = Path(fbm.__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    if not (ROOT / "pyproject.toml").is_file():
        pytest.skip("not a checkout")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


@pytest.mark.slow
def test_configs_and_templates_travel_along(wheel):
    names = set(wheel.namelist())
    configs = {f"fbm/conf/{path.relative_to(ROOT / 'conf')}" for path in (ROOT / "conf").rglob("*.yaml")}
    templates = {
        str(path.relative_to(ROOT)) for path in (ROOT / "fbm").rglob("*") if path.suffix in {".j2", ".css", ".js"}
    }
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "fbm").rglob("*.py")}
    assert configs
    assert templates
    assert configs | templates | modules <= names
    assert not [name for name in names if name.startswith(("tests/", "experiments/", "conf/"))]


@pytest.mark.slow
def test_an_unpacked_wheel_works_without_the_checkout(wheel, tmp_path):
    wheel.extractall(tmp_path / "site")
    code = "import sys; from fbm.cli.main import main; print(main.__code__.co_filename); sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "train", "--cfg", "job", "encoder=c3d"]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path / "site")}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "site") in done.stdout.splitlines()[0]
    assert "width: 64" in done.stdout
