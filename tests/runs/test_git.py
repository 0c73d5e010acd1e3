import os
import subprocess
from pathlib import Path

import pytest

from fbm.runs.git import LARGEST, Checkout


def git(folder: Path, *arguments: str, given: bytes = b"") -> str:
    own = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"}
    identity = ("-c", "user.name=somebody", "-c", "user.email=a@b")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, input=given, capture_output=True, check=True, env=own).stdout.decode()


@pytest.fixture
def package(tmp_path) -> Path:
    """A package in a repository with one commit."""
    package: Path = tmp_path / "repository" / "package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("x = 1\n")
    (package / "gone.py").write_text("x = 1\n")
    (package / "long.py").write_text("".join(f"line {n}\n" for n in range(20)))
    (package / "moved.py").write_text("".join(f"line {n}\n" for n in range(20)))
    (package / "picture.png").write_bytes(b"\x89PNG\0\0\1")
    (package.parent / "with space.txt").write_text("one\n")
    (package.parent / ".gitignore").write_text("ignored/\n")
    git(package.parent, "init", "--quiet")
    git(package.parent, "add", "--all")
    git(package.parent, "commit", "--quiet", "--message", "first")
    return package


def state(root: Path) -> dict[str, tuple[bytes, bool]]:
    """Every file's content, and whether it may be executed."""
    files = [path for path in root.rglob("*") if path.is_file() and ".git" not in path.relative_to(root).parts]
    return {str(path.relative_to(root)): (path.read_bytes(), os.access(path, os.X_OK)) for path in files}


def applied(checkout: Checkout, patch: bytes, where: Path) -> dict[str, tuple[bytes, bool]]:
    """What the patch makes of a fresh clone of the commit."""
    git(checkout.root, "clone", "--quiet", str(checkout.root), str(where))
    git(where, "checkout", "--quiet", checkout.commit)
    git(where, "apply", "-", given=patch)
    return state(where)


def change_everything(package: Path) -> None:
    root = package.parent
    (package / "__init__.py").write_text("x = 2\nno newline at the end")
    (package / "gone.py").unlink()
    (package / "long.py").write_text("".join(f"line {n}\n" for n in range(20) if n != 9) + "more\n")
    (package / "moved.py").rename(package / "there.py")
    git(root, "rm", "--quiet", "--cached", "package/moved.py")
    (package / "staged.py").write_text("staged\n")
    git(root, "add", "package/staged.py")
    (package / "staged.py").write_text("staged, then changed\n")
    (root / "with space.txt").write_bytes(b"latin \xe9\r\n")
    (root / "new").mkdir()
    (root / "new" / "tool.sh").write_text("#!/bin/sh\n")
    (root / "new" / "tool.sh").chmod(0o755)
    (root / "new" / "empty.txt").write_text("")
    (root / "new" / 'Ünïcode "quoted".txt').write_text("x\n")
    (root / "new" / "[x]*.txt").write_text("no pattern\n")
    (root / "ignored").mkdir()
    (root / "ignored" / "data.txt").write_text("ignored\n")


def test_a_clean_checkout_has_nothing_to_say(package):
    checkout = Checkout(package)
    assert checkout.root == package.parent
    assert checkout.commit == git(package, "rev-parse", "HEAD").strip()
    assert not checkout.dirty
    assert checkout.patch() == b""


def test_the_patch_makes_of_the_commit_what_was_there(package, tmp_path):
    change_everything(package)
    checkout = Checkout(package)
    assert checkout.dirty
    patch = checkout.patch()
    expected = state(package.parent)
    del expected["ignored/data.txt"]
    assert applied(checkout, patch, tmp_path / "clone") == expected
    assert b"left out" not in patch


def test_a_change_within_one_tick_of_the_clock_is_in_the_patch(package, tmp_path):
    """Size and times are those of the commit: git tells it by its index's own time alone."""
    file, index = package / "__init__.py", package.parent / ".git" / "index"
    git(package.parent, "config", "core.trustctime", "false")
    committed = file.stat().st_mtime_ns
    file.write_text("x = 2\n")
    for path in (file, index):
        os.utime(path, ns=(committed, committed))
    checkout = Checkout(package)
    assert checkout.dirty
    assert applied(checkout, checkout.patch(), tmp_path / "clone") == state(package.parent)


@pytest.mark.parametrize(
    "setting",
    ["diff.noprefix=true", "diff.context=0", "color.ui=always", "diff.external=false"],
)
def test_a_persons_own_git_settings_do_not_spoil_it(package, tmp_path, setting):
    change_everything(package)
    git(package, "config", *setting.split("="))
    expected = state(package.parent)
    del expected["ignored/data.txt"]
    checkout = Checkout(package)
    assert applied(checkout, checkout.patch(), tmp_path / "clone") == expected


def test_binary_and_big_files_are_named_and_left_out(package, tmp_path):
    root = package.parent
    (package / "__init__.py").write_text("x = 3\n")
    (package / "picture.png").write_bytes(b"\x89PNG\0\0\2")
    (root / "weights.bin").write_bytes(bytes(100))
    (root / "big.txt").write_text("x" * (LARGEST + 1))
    (root / "fits.txt").write_text("x" * LARGEST)
    git(root, "init", "--quiet", "other")
    (root / "other" / "x.txt").write_text("x\n")
    checkout = Checkout(package)
    patch = checkout.patch()
    assert patch.decode().splitlines()[:4] == [
        f"# left out: 'big.txt' (above {LARGEST:,} bytes)",
        "# left out: 'other/' (a repository of its own)",
        "# left out: 'package/picture.png' (binary)",
        "# left out: 'weights.bin' (binary)",
    ]
    clone = applied(checkout, patch, tmp_path / "clone")
    assert clone["package/__init__.py"][0] == b"x = 3\n"
    assert clone["package/picture.png"][0] == b"\x89PNG\0\0\1"
    assert clone["fits.txt"][0] == (root / "fits.txt").read_bytes()
    assert not {"big.txt", "weights.bin", "other/x.txt"} & set(clone)


def test_the_repository_is_only_read(package):
    change_everything(package)
    staged = git(package, "diff", "--cached")
    before = {path: path.read_bytes() for path in (package.parent / ".git").rglob("*") if path.is_file()}
    checkout = Checkout(package)
    assert checkout.dirty
    assert checkout.patch()
    assert {path: path.read_bytes() for path in (package.parent / ".git").rglob("*") if path.is_file()} == before
    assert git(package, "diff", "--cached") == staged


def test_a_package_that_merely_lies_in_a_repository_is_none(package):
    installed = package.parent / "ignored" / "package"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("")
    with pytest.raises(subprocess.CalledProcessError):
        Checkout(installed)


def test_a_folder_outside_any_repository_is_none(tmp_path):
    (tmp_path / "__init__.py").write_text("")
    with pytest.raises(subprocess.CalledProcessError):
        Checkout(tmp_path)
