"""Running out of memory for real where that can be done, and by the words of the errors where not."""

import errno
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from fbm.utils.memory import out_of_memory
from tests.loaders import read_all

LOWER = "lower data.batch_size (trainer.accumulate_grad_batches=N"

CONVOLVE = """
import resource, torch
from fbm.utils.memory import out_of_memory
clip, layer = torch.randn(2, 3, 16, 64, 64), torch.nn.Conv3d(3, 512, 3, padding=1)
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * 4096 + 2**27,) * 2)
try:
    layer(clip).sum().backward()
except RuntimeError as error:
    print(out_of_memory(error))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits address space")
def test_the_processors_memory_ends():
    said = subprocess.run([sys.executable, "-c", CONVOLVE], capture_output=True, text=True).stdout
    assert said.startswith("out of memory in main memory (0.25 GiB more were asked for): " + LOWER)
    assert len(said.splitlines()) == 1


def test_numpy_and_python_ask_for_too_much():
    for ask in (lambda: np.ones(1 << 50), lambda: bytearray(1 << 60)):
        with pytest.raises(MemoryError) as caught:
            ask()
        line = out_of_memory(caught.value)
        assert line is not None
        assert line.startswith("out of memory in main memory")
        assert LOWER in line
    assert "(8.00 PiB more" in str(out_of_memory(MemoryError("Unable to allocate 8.00 PiB for an array")))


CUDA = (
    "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 79.11 GiB of which 1.2 GiB is free."
)


@pytest.mark.parametrize(
    ("error", "begin"),
    [
        (torch.OutOfMemoryError(CUDA), "out of memory on the GPU (2.50 GiB more were asked for): "),
        (RuntimeError("CUDA error: out of memory"), "out of memory on the GPU: "),
        (
            RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"),
            "out of memory on the GPU",
        ),
        (OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), "out of memory in main memory: "),
        (MemoryError(), "out of memory in main memory: "),
        (RuntimeError("could not create a primitive"), "out of memory in main memory: "),
    ],
)
def test_errors_that_cannot_be_had_here(error, begin):
    line = out_of_memory(error)
    assert line is not None
    assert line.startswith(begin)
    assert LOWER in line


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("size mismatch"),
        RuntimeError("could not create a primitive descriptor"),
        OSError(errno.ENOSPC, "No space"),
        ValueError("x"),
    ],
)
def test_other_errors_are_none_of_it(error):
    assert out_of_memory(error) is None


SHM_FULL = "unable to allocate shared memory(shm) for file </torch_3638_1576_0>: No space left on device (28)"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            f"Caught RuntimeError in DataLoader worker process 0.\nTraceback ...\nRuntimeError: {SHM_FULL}",
            "data.num_workers=0",
        ),
        ("DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that ...", "docker run --shm-size"),
        ("unable to open shared memory object </torch_1> in read-write mode: Too many open files (24)", "`ulimit -n"),
    ],
)
def test_shared_memory_that_ends_is_named_with_what_helps(text, said):
    line = out_of_memory(RuntimeError(text))
    assert line is not None
    assert said in line
    assert "data.num_workers" in line
    assert ("no shared memory left at /dev/shm (it holds " in line) == ("Too many" not in text)


class Killed(Dataset[torch.Tensor]):
    def __len__(self):
        return 4

    def __getitem__(self, _):
        os.kill(os.getpid(), signal.SIGKILL)  # as the system does to whom it takes memory from
        return torch.zeros(1)


def test_a_loaders_worker_that_was_killed():
    with pytest.raises(RuntimeError) as caught:
        read_all(DataLoader(Killed(), num_workers=1))
    line = out_of_memory(caught.value)
    assert line is not None
    assert line.startswith("a loader process was killed")
    assert "lower data.num_workers" in line
