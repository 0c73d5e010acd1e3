"""Disks that can be full or read-only, where the tests may mount one."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Mount = Callable[[str], Path]  # from options of a tmpfs to the folder


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Mount]:
    """Mounts a file system with the given options, and again with others."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options: str) -> Path:
        again = folder.is_mount()
        try:
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"remount,{options}" if again else options, "tmpfs", folder],
                check=True,
                capture_output=True,
            )
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("file systems cannot be mounted here (not root)")
        return folder

    yield mount
    subprocess.run(["umount", folder], capture_output=True)


def fill(folder: Path) -> Path:
    """Take all the space that is left; gives the file that takes it."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for piece in (1 << 16, 1 << 10, 1):
            try:
                while file.write(bytes(piece)) == piece:
                    pass
            except OSError:
                continue
    return filler
