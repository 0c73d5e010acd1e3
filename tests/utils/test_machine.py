import logging
import subprocess
import sys

import pytest

from fbm.utils.machine import configure_malloc, silence_lightning

# Whether a large block is a mapping of its own (which the kernel clears anew every time) is in glibc's statistics.
BLOCKS = """
import ctypes
from fbm.utils.machine import configure_malloc
class Mallinfo2(ctypes.Structure):
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
    _fields_ = list(zip(names, [ctypes.c_size_t] * 10))
libc = ctypes.CDLL("libc.so.6")
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.mallinfo2.restype = Mallinfo2
def mapped():
    before = libc.mallinfo2().hblks
    block = libc.malloc(2**26)
    grown = libc.mallinfo2().hblks - before
    libc.free(block)
    return grown
print(mapped(), configure_malloc(), mapped(), libc.mallinfo2().fordblks >= 2**26)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc is meant")
def test_freed_memory_is_kept():
    done = subprocess.run([sys.executable, "-c", BLOCKS], capture_output=True, text=True)
    if "mallinfo2" in done.stderr:
        pytest.skip("this glibc is too old to ask")
    assert done.stdout.split() == ["1", "None", "0", "True"], done.stderr


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr("fbm.utils.machine.sys.platform", "darwin")
    monkeypatch.setattr("fbm.utils.machine.ctypes.CDLL", lambda name: pytest.fail(f"{name} was opened"))
    configure_malloc()


def test_warnings_stay(monkeypatch, caplog):
    logger = logging.getLogger("pytorch_lightning.utilities.rank_zero")
    before = logger.level
    try:
        silence_lightning()
        assert logger.isEnabledFor(logging.WARNING)
        assert not logger.isEnabledFor(logging.INFO)
    finally:
        logger.setLevel(before)
