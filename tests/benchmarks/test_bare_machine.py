"""What is carried to a GPU machine without a network."""

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from tests.conftest import REPOSITORY
from tests.scripts import load_script

REQUIRED = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]
LOCK = (REPOSITORY / "requirements.lock").read_text()
BARE = {
    *("annotated-types", "antlr4-python3-runtime", "defusedxml", "hydra-core", "omegaconf"),
    *("pydantic", "pydantic-core", "typing-inspection"),
}


@pytest.fixture
def carry() -> Any:
    return load_script("bare_machine/carry.py")


def carried(carry: Any, present: set[str] | None = None, also: str = "", machine: str = "x86_64") -> set[str]:
    there = carry.environment("3.12", machine)
    present = carry.PRESENT if present is None else present
    found = carry.missing(
        carry.needed(REQUIRED, there), carry.locked(LOCK, there), present, set(also.split(",")) - {""}
    )
    return {package.name for package in found}


def test_what_an_image_with_pytorch_lacks_is_carried_with_what_it_needs_in_its_turn(carry):
    assert carried(carry) == BARE
    assert carried(carry, also="av,pebble") == BARE | {"av", "pebble"}
    assert carried(carry, also="decord") == BARE | {"decord"}
    assert carried(carry, also="decord2", machine="aarch64") == BARE | {"decord2"}  # decord has no wheel there
    assert carried(carry, carry.PRESENT - {"xxhash"} | {"pydantic-core"}) == BARE - {"pydantic-core"} | {"xxhash"}


def test_the_tables_name_requirements_and_what_these_need(carry):
    required = {canonicalize_name(re.split(r"[<>=;]", line)[0]) for line in REQUIRED}
    assert required > carry.ASKED_FOR
    assert carry.PRESENT & required == required - carry.ASKED_FOR - BARE


def test_the_lock_is_read_for_the_other_machines_python(carry):
    newer, older = (carry.locked(LOCK, carry.environment(python, "x86_64")) for python in ("3.12", "3.11"))
    assert newer["numpy"].lines.splitlines()[0] != older["numpy"].lines.splitlines()[0]
    for package in newer.values():
        pinned, *hashes = package.lines.split(" \\\n    ")
        assert re.fullmatch(r"[\w.\-\[\]]+==[\w.]+", pinned)
        assert hashes
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", line) for line in hashes)
    assert newer["antlr4-python3-runtime"].via == {"hydra-core", "omegaconf"}


def run(carry: Any, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["carry.py", *arguments])
    carry.main()


@pytest.fixture
def pip(carry: Any, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Stands for pip: a wheel of each package that is wanted, but of one its source, of which it makes a wheel."""
    calls: list[list[str]] = []

    def called(*words: str | Path) -> None:
        given = [str(word) for word in words]
        calls.append(given)
        if given[0] == "wheel":
            Path(given[-1].replace(".tar.gz", "-py3-none-any.whl")).write_bytes(b"made")
            return
        folder = Path(given[given.index("--dest") + 1])
        for name, number in re.findall(r"^(\S+)==(\S+)", Path(folder, "wanted.txt").read_text(), re.MULTILINE):
            kind = ".tar.gz" if name.startswith("antlr4") else "-py3-none-any.whl"
            Path(folder, f"{name.replace('-', '_')}-{number}{kind}").write_bytes(bytes(1000))

    monkeypatch.setattr(carry, "_pip", called)
    return calls


def test_a_folder_of_wheels_and_what_to_run_there(carry, pip, monkeypatch, tmp_path, capsys):
    (tmp_path / "numpy-1.0-py3-none-any.whl").touch()  # of an earlier time
    (tmp_path / "notes.txt").touch()
    run(carry, monkeypatch, "--out", str(tmp_path), "--python", "3.13")
    names = {path.name for path in tmp_path.iterdir()}
    assert {canonicalize_name(name.split("-")[0]) for name in names - {"notes.txt"}} == BARE
    assert all(name.endswith("-py3-none-any.whl") for name in names - {"notes.txt"})
    download, wheel = pip
    assert "--require-hashes" in download
    assert download[download.index("--python-version") + 1] == "3.13"
    assert "manylinux_2_28_x86_64" in download
    assert wheel[0] == "wheel"
    out = capsys.readouterr().out
    assert f"--target outputs/site {tmp_path}/*.whl" in out
    assert "64 may be carried" in out


def test_what_is_too_large_is_said_with_status_1(carry, pip, monkeypatch, tmp_path):
    with pytest.raises(SystemExit, match=r"MiB is more than --limit 0\.5: carry less"):
        run(carry, monkeypatch, "--out", str(tmp_path), "--limit", "0.5")


def test_what_can_only_be_built_for_another_machine_is_refused_and_the_old_wheels_stay(carry, monkeypatch, tmp_path):
    old = tmp_path / "hydra_core-1.0-py3-none-any.whl"
    old.touch()

    def pip(*words: str | Path) -> None:
        if words[0] == "download":
            Path(words[-1], "pydantic_core-1.0-cp312-cp312-macosx_11_0_arm64.whl").touch()

    monkeypatch.setattr(carry, "_pip", pip)
    with pytest.raises(SystemExit, match=r"pydantic_core-1\.0-.* there is only its source"):
        run(carry, monkeypatch, "--out", str(tmp_path))
    assert list(tmp_path.iterdir()) == [old]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--also", "wandbb"], "--also wandbb: pyproject.toml requires no such package"),
        (["--present", "nowhere.txt"], "--present nowhere.txt: cannot be read"),
        (["--python", "3.1x"], "--python 3.1x: it should be a version like 3.12"),
        (["--out", "file"], "--out file: no folder can be made there (File exists)"),
    ],
)
def test_bad_input_is_one_line(carry, monkeypatch, tmp_path, arguments, said):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    with pytest.raises(SystemExit, match=re.escape(said)):
        run(carry, monkeypatch, *arguments)


def test_a_list_of_all_there_is_leaves_nothing_to_carry(carry, monkeypatch, tmp_path):
    listed = tmp_path / "present.txt"
    listed.write_text("".join(f"{name.title()}==1\n" for name in BARE | carry.PRESENT))
    with pytest.raises(SystemExit, match="nothing is missing there"):
        run(carry, monkeypatch, "--present", str(listed))


@pytest.mark.slow
def test_pips_reason_is_one_line(carry):
    with pytest.raises(SystemExit, match="pip download: ERROR: ") as stopped:
        carry._pip("download", "--no-index", "--no-deps", "no-such-package==0")
    assert "\n" not in str(stopped.value)
