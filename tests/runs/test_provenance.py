import hashlib
import re
import socket
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import pytorch_lightning as pl
import torch

import fbm
from fbm.runs.git import Checkout
from fbm.runs.provenance import hardware, installed, log_changed_code, record
from tests.runs.test_git import applied, git, state

HEX = re.compile("[0-9a-f]{16}")


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """A checkout of its own that fbm seems to run from."""
    package: Path = tmp_path / "repository" / "fbm"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("x = 1\n")
    (package.parent / "requirements.lock").write_text("torch==2.13.0\n")
    git(package.parent, "init", "--quiet")
    git(package.parent, "add", "--all")
    git(package.parent, "commit", "--quiet", "--message", "first")
    monkeypatch.setattr(fbm, "__file__", str(package / "__init__.py"))
    return package


def test_a_clean_start_leaves_the_packages_and_no_diff(package, tmp_path):
    told = record(tmp_path / "run", {})
    assert told["git"] == {"commit": git(package, "rev-parse", "HEAD").strip(), "dirty": False}
    assert told["lock"] == hashlib.sha256(b"torch==2.13.0\n").hexdigest()[:16]
    packages = (tmp_path / "run" / "provenance" / "packages.txt").read_text()
    assert packages.splitlines() == sorted(packages.splitlines())
    assert f"pytorch-lightning=={version('pytorch-lightning')}" in packages.splitlines()
    assert told["packages"] == hashlib.sha256(packages.encode()).hexdigest()[:16]
    assert sorted(path.name for path in (tmp_path / "run" / "provenance").iterdir()) == ["code.txt", "packages.txt"]
    assert told["versions"]["torch"] == torch.__version__


def test_uncommitted_changes_come_back_from_the_run_folder(package, tmp_path):
    (package / "__init__.py").write_text("x = 2\n")
    (package / "new.py").write_text("y = 1\n")
    told = record(tmp_path / "run", {})
    assert told["git"]["dirty"]
    patch = (tmp_path / "run" / "provenance" / "git.diff").read_bytes()
    assert applied(Checkout(package), patch, tmp_path / "clone") == state(package.parent)


def test_an_installed_fbm_has_no_code_of_its_own(package, tmp_path, monkeypatch):
    installed_there = package.parent / ".venv" / "fbm"
    installed_there.mkdir(parents=True)
    (installed_there / "__init__.py").write_text("")
    monkeypatch.setattr(fbm, "__file__", str(installed_there / "__init__.py"))
    told = record(tmp_path / "run", {})
    assert (told["git"], told["lock"]) == (None, None)
    assert HEX.fullmatch(told["packages"])


def test_without_git_there_is_a_run_all_the_same(package, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert record(tmp_path / "run", {})["git"] is None


def test_a_checkout_that_git_cannot_compare_says_so(package, tmp_path, monkeypatch):
    (package / "__init__.py").write_text("x = 2\n")
    monkeypatch.setattr(Checkout, "_scratch", lambda *_: {"GIT_INDEX_FILE": "/dev/null/index"})
    assert record(tmp_path / "run", {})["git"]["dirty"]
    assert "could not be read" in (tmp_path / "run" / "provenance" / "git.diff").read_text()


def test_packages_are_named_as_pip_compares_them():
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*==\S+", line) for line in installed())
    assert len(installed()) == len(set(installed())) > 20


def test_the_hardware_is_described_and_the_machine_not_named():
    told = hardware(pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False))
    assert (told["device"], told["precision"]) == ("cpu", "32-true")
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    assert model is None or told["cpu"] == model[1]
    total = re.search(r"MemTotal:\s*(\d+) kB", Path("/proc/meminfo").read_text())
    assert total is not None
    assert told["memory_gib"] == pytest.approx(int(total[1]) / 2**20, abs=0.1)
    assert not any(socket.gethostname() in str(value) for value in told.values())
    assert torch.cuda.is_available() or "gpus" not in told


@pytest.mark.parametrize(("says", "driver"), [("550.54.15\\n550.54.15\\n", "550.54.15"), ("", None)])
def test_gpus_are_counted_with_their_driver(tmp_path, monkeypatch, says, driver):
    """A stand-in for a machine with two GPUs, with and without an nvidia-smi that answers."""
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\nprintf '{says}'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for name, value in (("is_available", True), ("device_count", 2), ("get_device_name", "A100")):
        monkeypatch.setattr(torch.cuda, name, lambda *_, value=value: value)
    strategy = SimpleNamespace(root_device=torch.device("cuda", 0))
    trainer = SimpleNamespace(strategy=strategy, precision="32-true", world_size=2, num_nodes=1)
    told = hardware(cast(pl.Trainer, trainer))
    assert (told["name"], told["gpus"], told["gpu"], told["driver"]) == ("A100", 2, "A100", driver)


def test_code_is_recorded_file_by_file(package, tmp_path):
    told = record(tmp_path / "run", {})
    code = (tmp_path / "run" / "provenance" / "code.txt").read_text()
    assert code == f"{hashlib.sha256(b'x = 1' + bytes([10])).hexdigest()}  fbm/__init__.py\n"
    assert told["code"] == hashlib.sha256(code.encode()).hexdigest()[:16]


def test_code_that_has_changed_since_is_named(package, tmp_path, capsys):
    record(tmp_path / "run", {})
    log_changed_code(tmp_path / "run", {}, "do this")
    assert capsys.readouterr().out == ""
    (package / "__init__.py").write_text("x = 2\n")
    for name in ("b", "c", "d"):
        (package / f"{name}.py").write_text("")
    log_changed_code(tmp_path / "run", {}, "do this")
    said = "the code has changed since this run began (fbm/__init__.py, fbm/b.py, fbm/c.py and 1 more): do this"
    assert capsys.readouterr().out == f"{tmp_path / 'run'}: {said}\n"


def test_a_run_of_an_earlier_fbm_has_no_code_to_compare(package, tmp_path, capsys):
    log_changed_code(tmp_path, {}, "do this")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("target", ["own_nets.small.Net", "own_module.Net"])
def test_a_users_own_module_is_code_too_and_installed_ones_are_not(package, tmp_path, monkeypatch, capsys, target):
    monkeypatch.syspath_prepend(tmp_path)
    files = {"own_nets.small.Net": tmp_path / "own_nets" / "small.py", "own_module.Net": tmp_path / "own_module.py"}
    file = files[target]
    file.parent.mkdir(exist_ok=True)
    file.write_text("y = 1\n")
    content = {"encoder": {"_target_": target}, "optim": {"_target_": "torch.optim.Adam"}, "x": {"_target_": "no.such"}}
    record(tmp_path / "run", content)
    names = [line.split()[1] for line in (tmp_path / "run" / "provenance" / "code.txt").read_text().splitlines()]
    named = str(file.relative_to(tmp_path))
    assert names == ["fbm/__init__.py", named]
    file.write_text("y = 2\n")
    log_changed_code(tmp_path / "run", content, "do this")
    assert f"since this run began ({named}): do this" in capsys.readouterr().out
