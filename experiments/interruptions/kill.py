"""Does what is killed at any moment, and started again, come to the same end? Kills it, and compares bit by bit."""

import argparse
import random
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

from attempts import Attempt, start
from commands import Command, Prepare, Train

AIMED = 4  # every so many-th run is killed when a file is half written
PATIENCE = 8.0  # seconds in which a killed command's other processes must have ended; torch's loaders take five


@dataclass
class Kill:
    """After so many seconds; earlier if the so many-th half-written file is seen."""

    seconds: float
    file: int | None = None


@dataclass
class Watch:
    """Counts files of a folder that are seen half written."""

    folder: Path
    seen: set[Path] = field(default_factory=set)
    count: int = 0

    def look(self) -> int:
        """How many were seen up to now; one file's later versions count again."""
        now = set(self.folder.rglob(".*.part"))
        self.count += len(now - self.seen)
        self.seen = now
        return self.count


def to_the_end(command: Command, folder: Path) -> tuple[str, float, int]:
    """Run the command; gives what it printed, how long it took, and how many half-written files were seen.

    Raises:
        SystemExit: it failed.
    """
    began, watch = time.monotonic(), Watch(folder)
    attempt = start(command.arguments(), folder)
    while attempt.process.poll() is None:
        watch.look()
        time.sleep(0.005)
    said = attempt.said.read_text()
    if attempt.process.returncode:
        raise SystemExit(f"exit status {attempt.process.returncode} in {folder}:\n{said}")
    return said, time.monotonic() - began, watch.count


def killed(command: Command, folder: Path, kill: Kill, alone: bool) -> tuple[str, Attempt] | None:
    """Start the command and kill it; gives when that was, or None where it had ended before."""
    command.forget(folder)
    began, watch = time.monotonic(), Watch(folder)
    attempt = start(command.arguments(), folder)
    while time.monotonic() - began < kill.seconds and not (kill.file and watch.look() >= kill.file):
        if attempt.process.poll() is not None:
            return None
        time.sleep(0.001)
    attempt.kill(alone)
    spent = time.monotonic() - began
    return f"{'alone' if alone else 'all'} after {spent:4.1f} s ({command.phase(folder)})", attempt


def disturbed(command: Command, folder: Path, kills: list[Kill], alone: bool) -> str:
    """One run with its kills, each followed by a start at once; tells of them and of what the last start went on from.

    Raises:
        SystemExit: a start failed, or processes of a killed one live on.
    """
    lines: list[str] = []
    attempts: list[Attempt] = []
    for kill in kills:
        while (done := killed(command, folder, kill, alone)) is None and not lines:
            command.clear(folder)  # it was quicker than the undisturbed one
            kill = Kill(kill.seconds * 0.7)
        if done is None:
            break  # it has come to its end
        lines.append(done[0])
        attempts.append(done[1])
    said, _, _ = to_the_end(command, folder)
    told = f"killed {', '.join(lines)}; {command.went_on(said)}"
    for attempt in attempts:
        if left := attempt.left_after(PATIENCE):
            raise SystemExit(f"{told}; processes {left} still run")
    return told


def main() -> None:
    """Print a line per run and the count; exit status 1 where any differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("train", "prepare"))
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--kills", type=int, default=1, help="in each run")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--folder", type=Path, default=Path("outputs/interruptions"), help="is emptied")
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="more settings of the command")
    given = parser.parse_intermixed_args()  # settings may stand behind options
    command = (Train if given.what == "train" else Prepare)(given.folder.resolve(), given.settings)
    own = command.folder / command.name
    command.clear(own)
    command.make_ready()
    command.clear(own / "whole")
    _, lasted, files = to_the_end(command, own / "whole")
    print(f"not killed: {lasted:.1f} s, {files} files seen half written", flush=True)
    chance, equal = random.Random(given.seed), 0
    for number in range(given.times):
        folder = own / f"killed-{number + 1:02}"
        command.clear(folder)
        # One moment in each of as many equal parts of the time.
        first = Kill(lasted * (number + chance.random()) / given.times)
        if number % AIMED == AIMED - 1:
            first = Kill(lasted, chance.randint(1, max(1, files)))
        others = [Kill(lasted * chance.uniform(0, 0.7)) for _ in range(given.kills - 1)]
        told = disturbed(command, folder, [first, *others], alone=number % 2 == 1)
        differences = command.differences(own / "whole", folder)
        verdict = "DIFFERS: " + "; ".join(differences[:9]) if differences else "equal"
        print(f"{number + 1:2}: {told}: {verdict}", flush=True)
        if not differences:
            equal += 1
            shutil.rmtree(folder)
    print(f"{equal} of {given.times} equal")
    raise SystemExit(equal < given.times)


if __name__ == "__main__":
    main()
