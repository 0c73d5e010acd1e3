"""Wheels for a GPU machine without a network, of what its image with PyTorch does not have.

Versions and hashes are those of requirements.lock; which packages, follows from pyproject.toml. pip looks where it is
set up to look. Prints what to run on the other machine.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).resolve().parents[2]
# What an image with PyTorch, Lightning and OpenCV has; with --present, what is really there.
PRESENT = {
    *("torch", "pytorch-lightning", "torchmetrics", "numpy", "scipy", "scikit-learn", "scikit-image", "rich"),
    *("opencv-python-headless", "xxhash", "pyyaml", "matplotlib", "pillow", "jinja2", "packaging", "typing-extensions"),
}
ASKED_FOR = {"av", "decord", "decord2", "pebble", "wandb"}  # large, or of no use for training
GLIBC = range(17, 40)  # minor versions that a machine of today may have; pip wants each by name
MIB = 2**20


@dataclass(frozen=True)
class Locked:
    """A package of the lock: its lines for pip without the marker, and whose requirement it is."""

    name: str
    lines: str
    via: frozenset[str]


def environment(python: str, machine: str) -> dict[str, str]:
    """What the markers of requirements ask about, for a Linux machine with this Python."""
    return {
        **{"python_version": python, "python_full_version": f"{python}.0", "platform_machine": machine},
        **{"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
        **{"implementation_name": "cpython", "platform_python_implementation": "CPython"},
    }


def needed(required: Iterable[str], there: dict[str, str]) -> set[str]:
    """The names of those requirements of pyproject.toml that apply on a machine."""
    lines = [Requirement(line) for line in required]
    return {canonicalize_name(line.name) for line in lines if line.marker is None or line.marker.evaluate(there)}


def locked(lock: str, there: dict[str, str]) -> dict[str, Locked]:
    """The packages of a requirements.lock that are meant for a machine, by name."""
    found = {}
    for block in re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE | re.IGNORECASE)[1:]:
        pinned, marker = re.match(r"(\S+==\S+)(?: ; ([^\\\n]+))?", block).groups()
        if marker and not Marker(marker.strip()).evaluate(there):
            continue
        name = canonicalize_name(pinned.split("==")[0])
        via = {canonicalize_name(word) for word in re.findall(r"^    # +(?:via )?(?!via$)(\S+)", block, re.MULTILINE)}
        hashes = re.findall(r"--hash=\S+", block)
        found[name] = Locked(name, " \\\n    ".join([pinned, *hashes]), frozenset(via))
    return found


def missing(names: set[str], packages: dict[str, Locked], present: set[str], also: set[str]) -> list[Locked]:
    """What must be carried: what fbm requires and is not there, and what that requires in its turn.

    Args:
        names: of what fbm requires there.
        packages: of the lock.
        present: names of what the machine has.
        also: of what is otherwise left out.
    """
    if unknown := sorted(also - names):
        sys.exit(f"--also {','.join(unknown)}: pyproject.toml requires no such package")
    carried: set[str] = set()
    more = names - present - (ASKED_FOR - also)
    while more:
        carried |= more
        more = {name for name, one in packages.items() if one.via & carried} - present - carried
    if strangers := sorted(carried - set(packages)):
        sys.exit(f"{', '.join(strangers)}: not in requirements.lock; where it is torch, the machine must have it")
    return [packages[name] for name in sorted(carried)]


def fetch(packages: list[Locked], folder: Path, python: str, machine: str) -> None:
    """Fill an empty folder with one wheel of each, or exit with pip's reason."""
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in reversed(GLIBC)]
    platforms += [f"{old}_{machine}" for old in ("manylinux2014", "manylinux2010", "manylinux1", "linux")]
    wanted = folder / "wanted.txt"
    wanted.write_text("\n".join(package.lines for package in packages) + "\n")
    _pip(
        *("download", "--no-deps", "--require-hashes", "--python-version", python, "--implementation", "cp"),
        *(word for platform in platforms for word in ("--platform", platform)),
        *("--requirement", wanted, "--dest", folder),
    )
    for source in folder.glob("*.tar.gz"):  # no wheel was published: made here
        _pip("wheel", "--no-deps", "--wheel-dir", folder, source)
        source.unlink()
    wanted.unlink()
    for wheel in folder.iterdir():
        tags = parse_wheel_filename(wheel.name)[3]
        if not any(tag.platform == "any" or tag.platform in platforms for tag in tags):
            sys.exit(f"{wheel.name}: there is only its source, and what is built of it here is for this machine alone")


def _pip(*words: str | Path) -> None:
    done = subprocess.run([sys.executable, "-m", "pip", "--quiet", *words], stderr=subprocess.PIPE, text=True)
    if done.returncode:
        reasons = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit status {done.returncode}"]
        told = next((line for line in reversed(reasons) if line.startswith("ERROR")), reasons[-1])
        sys.exit(f"pip {words[0]}: {told}")


def checkout_size(root: Path) -> int:
    """Bytes of what travels of a checkout: all files but those that git ignores."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, text=True)
    if listed.returncode:
        sys.exit(f"{root}: not a git checkout ({listed.stderr.strip()}), so what travels of it is not known")
    paths = [root / name for name in set(listed.stdout.split("\0")) if name]
    return sum(path.stat().st_size for path in paths if path.is_file())


def names_in(text: str) -> set[str]:
    """Names of packages, from what `pip list --format=freeze` prints."""
    return {canonicalize_name(re.split(r"[=<>@;\s]", line)[0]) for line in text.splitlines() if line.strip()}


def main() -> None:
    """Fetch, weigh, and say what to do there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default="3.12", help="of the other machine (default: %(default)s)")
    parser.add_argument("--machine", default="x86_64", help="its processor, as uname -m (default: %(default)s)")
    parser.add_argument(
        "--present", type=Path, metavar="FILE", help="`pip list --format=freeze` there (default: PyTorch, Lightning "
        "and OpenCV with what they bring)"
    )  # fmt: skip
    parser.add_argument("--also", default="", metavar="A,B", help="packages left out otherwise: av,pebble to prepare")
    parser.add_argument("--limit", type=float, default=64, metavar="MIB", help="of all (default: %(default)g)")
    parser.add_argument("--out", type=Path, default=ROOT / "outputs" / "wheels", help="(default: %(default)s)")
    given = parser.parse_args()
    if not re.fullmatch(r"3\.\d+", given.python):
        sys.exit(f"--python {given.python}: it should be a version like 3.12")
    try:
        present = names_in(given.present.read_text()) if given.present else PRESENT
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"--present {given.present}: cannot be read ({error})")
    required = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    there = environment(given.python, given.machine)
    packages = locked((ROOT / "requirements.lock").read_text(), there)
    also = {canonicalize_name(name) for name in given.also.split(",") if name}
    carried = missing(needed(required, there), packages, present, also)
    if not carried:
        sys.exit("nothing is missing there: no wheels to carry")
    try:
        given.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sys.exit(f"--out {given.out}: no folder can be made there ({error.strerror})")
    with tempfile.TemporaryDirectory(dir=given.out) as place:
        fetch(carried, Path(place), given.python, given.machine)
        for old in given.out.glob("*.whl"):  # two versions of one package would stop the whole installation
            old.unlink()
        for wheel in Path(place).iterdir():
            wheel.rename(given.out / wheel.name)
    sizes = {wheel.name: wheel.stat().st_size for wheel in sorted(given.out.glob("*.whl"))}
    for name, size in sizes.items():
        print(f"{size / MIB:7.2f} MiB  {name}")
    code = checkout_size(ROOT)
    total = sum(sizes.values()) + code
    print(f"{total / MIB:7.2f} MiB  in all, {code / MIB:.2f} of it the checkout; {given.limit:g} may be carried")
    if total > given.limit * MIB:
        sys.exit(f"{total / MIB:.1f} MiB is more than --limit {given.limit:g}: carry less, or in two parts")
    shown = given.out.resolve()
    place = shown.relative_to(ROOT) if shown.is_relative_to(ROOT) else shown
    print(
        f"\nCarry the checkout with {place}; there, in the checkout:\n\n"
        f"python3 -m pip install --no-index --no-deps --upgrade --target outputs/site {place}/*.whl\n"
        "export PYTHONPATH=$PWD/outputs/site:$PWD\n"
        "python3 -m fbm --version"
    )


if __name__ == "__main__":
    main()
