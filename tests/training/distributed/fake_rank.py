"""A rank that imports no torch and does what FAKE_RANK_N in its environment asks for, N being its number.

- exit CODE: end so; another code than 0 when all ranks have started
- child: start a process that sleeps, write its id to `childN`, and die by SIGKILL
- hang: note signals in `signalsN`, and stay
- save: wait for a signal, write `savedN`, and end as a rank that has saved
- summary JSON: write it into the newest run folder, and end well

Of several actions, separated by " | ", each start takes the next.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from fbm.training.distributed.parent import end_with_parent

end_with_parent()
rank = os.environ["RANK"]
received: list[int] = []


def note(signum: int, frame: object) -> None:
    received.append(signum)
    with Path(f"signals{rank}").open("a") as file:
        file.write(f"{signum}\n")


for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
    signal.signal(signum, note)
Path(f"pid{rank}").write_text(str(os.getpid()))
print("rank", rank, "of", os.environ["WORLD_SIZE"], flush=True)
with Path(f"starts{rank}").open("a+") as file:
    file.write("x")
    file.seek(0)
    start = len(file.read())
action, _, argument = os.environ.get(f"FAKE_RANK_{rank}", "exit 0").split(" | ")[start - 1].partition(" ")
if action == "exit":
    starts = [Path(f"starts{other}") for other in range(int(os.environ["WORLD_SIZE"]))]
    while argument != "0" and not all(path.exists() and len(path.read_text()) >= start for path in starts):
        time.sleep(0.02)
    sys.exit(int(argument))
if action == "child":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(f"child{rank}").write_text(str(child.pid))
    os.kill(os.getpid(), signal.SIGKILL)
if action == "summary":
    logs = max(Path("outputs").glob("*/*/ranks"), key=lambda path: path.stat().st_mtime)
    (logs.parent / "summary.json").write_text(argument)
    sys.exit(0)
while not (action == "save" and received):
    time.sleep(0.02)
Path(f"saved{rank}").touch()
sys.exit(128 + received[0])
