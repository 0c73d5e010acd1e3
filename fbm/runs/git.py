"""The git checkout that fbm runs from: its commit, and changes since as a patch for `git apply`."""

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

LARGEST = 1_000_000  # bytes of a changed file that goes into the patch
# With some personal settings of git, a patch could not be applied.
PLAIN = (
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-renames",
    "--full-index",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--submodule=short",
)


class Checkout:
    """A git repository that holds a package's own files.

    Args:
        package: a folder with a tracked `__init__.py`.

    Raises:
        OSError: git is not installed.
        subprocess.CalledProcessError: `package` is not under version control, even if its folder is in a repository.
    """

    def __init__(self, package: Path) -> None:
        self.root = package
        self._git("ls-files", "--error-unmatch", "__init__.py")
        self.root = Path(os.fsdecode(self._git("rev-parse", "--show-toplevel")).rstrip("\n"))
        self.commit = self._git("rev-parse", "HEAD").decode().strip()

    @property
    def dirty(self) -> bool:
        """Whether anything was changed, staged or added since the commit; ignored files do not count."""
        return bool(self._git("status", "--porcelain"))

    def patch(self) -> bytes:
        """All changes since the commit: tracked files, and untracked text that git does not ignore.

        Binary files and those above LARGEST bytes are left out, each named in a line before the patch.
        """
        with TemporaryDirectory() as temporary:
            environment = self._scratch(Path(temporary))
            left_out = self._add(environment) | self._unfit_changes(environment)
            without = [f":(top,exclude,literal){name}" for name in left_out]
            patch = self._git("diff", "HEAD", "--unified=3", *PLAIN, "--", ":/", *without, environment=environment)
        notes = [f"# left out: {name!r} ({reason})\n" for name, reason in sorted(left_out.items())]
        return "".join(notes).encode(errors="backslashreplace") + patch

    def _scratch(self, folder: Path) -> dict[str, str]:
        """A scratch index and object folder: the repository itself is only read."""
        index, objects = (
            self.root / os.fsdecode(self._git("rev-parse", "--git-path", name)).rstrip("\n")
            for name in ("index", "objects")
        )
        # With its time, by which git knows which files may have changed within the same clock tick.
        shutil.copy2(index, folder / "index")
        return {
            "GIT_INDEX_FILE": str(folder / "index"),
            "GIT_OBJECT_DIRECTORY": str(folder),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(objects),
        }

    def _add(self, environment: dict[str, str]) -> dict[str, str]:
        """Add the untracked files to the scratch index; returns those left out, with the reason."""
        listed = self._git("ls-files", "--others", "--exclude-standard", "-z").split(b"\0")
        names = [os.fsdecode(name) for name in listed if name]
        left_out = {name: reason for name in names if (reason := self._unfit(name))}
        kept = [os.fsencode(name) for name in names if name not in left_out]
        arguments = ("add", "--intent-to-add", "--pathspec-from-file=-", "--pathspec-file-nul")
        self._git("--literal-pathspecs", *arguments, environment=environment, given=b"\0".join(kept))
        return left_out

    def _unfit_changes(self, environment: dict[str, str]) -> dict[str, str]:
        """Changed and added files that are binary or unfit, with the reason."""
        found = {}
        for line in self._git("diff", "HEAD", "--numstat", "-z", *PLAIN, environment=environment).split(b"\0")[:-1]:
            added, _, name = line.split(b"\t", 2)
            path = os.fsdecode(name)
            if reason := self._unfit(path) or ("binary" if added == b"-" else ""):
                found[path] = reason
        return found

    def _unfit(self, name: str) -> str:
        """Why a changed file cannot be part of a patch; empty if it can."""
        path = self.root / name
        if name.endswith("/"):
            return "a repository of its own"
        if path.is_symlink() or not path.exists():
            return ""
        if not os.access(path, os.R_OK):
            return "not readable"
        return f"above {LARGEST:,} bytes" if path.stat().st_size > LARGEST else ""

    def _git(self, *arguments: str, environment: dict[str, str] | None = None, given: bytes = b"") -> bytes:
        own = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", **(environment or {})}
        command = ["git", "-C", str(self.root), *arguments]
        return subprocess.run(command, capture_output=True, input=given, check=True, env=own).stdout
