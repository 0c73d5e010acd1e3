"""Data that several rooms' tests use: a tiny demo set, its store, the real files, and small roots to break."""

import gc
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fbm.data.datasets.ucf101 import UCF101
from fbm.data.decoding.decoders import check_decoder
from fbm.data.decoding.video import DECODERS, Decoder
from fbm.data.demo import make_demo
from fbm.data.masks.boxes import BoxMasks
from fbm.data.store.preparation import Preparation
from fbm.data.store.prepare import prepare
from fbm.training.bf16 import check_bf16
from fbm.utils.errors import UserError
from tests import processes, tiny
from tests.hydra_cache import cache_parsing
from tests.tiny import make_store

REPOSITORY = Path(__file__).parents[1]
SIZE = 32  # of the frames in `demo_store`


@pytest.fixture(scope="session", autouse=True)
def _wandb_stays_here(tmp_path_factory) -> Iterator[None]:
    """No test finds a key, goes online or writes into the home directory, whoever runs it."""
    place = tmp_path_factory.mktemp("wandb")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("WANDB_API_KEY", raising=False)
        patch.setenv("WANDB_MODE", "offline")
        patch.setenv("NETRC", str(place / "netrc"))
        for kind in ("DATA", "CACHE", "CONFIG"):
            patch.setenv(f"WANDB_{kind}_DIR", str(place / kind.lower()))
        yield


@pytest.fixture(scope="session", autouse=True)
def _compiled_code_stays_here(tmp_path_factory) -> Iterator[None]:
    """No test loads what an earlier session compiled: torch's cache is the machine's, and may be damaged."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path_factory.mktemp("inductor")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _quick_processes_and_configs() -> Iterator[None]:
    """Processes are forks of one that has imported everything, and a text of a config is parsed once.

    What is imported by now stays, so garbage is not looked for in it: that takes 0.3 s each time.
    """
    gc.freeze()
    with pytest.MonkeyPatch.context() as patch:
        cache_parsing(patch)
        processes.fork_what_is_started(patch)
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of a module that uses whole commands are slow, marked or not."""
    commands = (tiny.fbm, processes, prepare)
    for item in items:
        used = vars(getattr(item, "module", None) or object).values()
        if any(value is command for value in used for command in commands):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _fast_tests_start_no_processes(pytestconfig, monkeypatch) -> None:
    """In `make test-fast` a test that starts an interpreter fails, and says that it is to be marked."""
    monkeypatch.setattr(processes, "allowed", pytestconfig.option.markexpr != "not slow")


@pytest.fixture
def joblib_ends() -> Iterator[None]:
    """For jobs by joblib: ends its idle workers, as the next test's jobs would find themselves in this one's folder."""
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    yield
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)


@pytest.fixture(scope="session")
def demo_root(tmp_path_factory) -> Path:
    """Thirty videos: six classes, groups g01 (test) to g05, one clip each. Look, do not touch."""
    root: Path = tmp_path_factory.mktemp("data") / "demo"
    make_demo(root, groups=5, test_groups=1, clips=1, frames=34)
    return root


@pytest.fixture(scope="session")
def demo_store(demo_root, tmp_path_factory) -> Path:
    """`demo_root` prepared with frames of 32 × 32 and its boxes, otherwise by the default settings."""
    store: Path = tmp_path_factory.mktemp("stores") / "demo"
    prepare(Preparation(UCF101(demo_root), BoxMasks(demo_root), "boxes", store, SIZE, workers=2, timeout=600))
    return store


@pytest.fixture(scope="session")
def store(tmp_path_factory) -> Path:
    """A store of `tests.tiny`, for runs that take a second or two. Look, do not touch."""
    return make_store(tmp_path_factory.mktemp("tiny") / "store")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets: FBM_REAL_DATA, or shared/data beside the repository."""
    place = Path(os.environ.get("FBM_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (place / "ucf101").is_dir():
        reason = f"no real data at {place} (set FBM_REAL_DATA)"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    return place


@pytest.fixture(scope="session")
def bf16() -> None:
    """Skips the test on a processor whose gradients in bf16 are wrong."""
    try:
        check_bf16("bf16-mixed")
    except UserError as error:
        pytest.skip(str(error))


def _installed(decoder: Decoder) -> Decoder:
    """Skips the test where torchcodec cannot be used: it alone is no part of the install."""
    if decoder == "torchcodec":
        try:
            check_decoder(decoder)
        except UserError as error:
            pytest.skip(str(error))
    return decoder


@pytest.fixture(params=DECODERS)
def decoder(request: pytest.FixtureRequest) -> Decoder:
    """The name of each decoder."""
    return _installed(request.param)


@pytest.fixture(params=[name for name in DECODERS if name != "pyav"])
def other(request: pytest.FixtureRequest) -> Decoder:
    """The name of each decoder other than PyAV."""
    return _installed(request.param)


@dataclass(frozen=True)
class SmallRoot:
    """A data set of four videos of one class that a test may break."""

    path: Path
    names: list[str]  # groups g01 (test), g02, g03, g04

    def video(self, number: int) -> Path:
        return self.path / "UCF-101" / f"{self.names[number]}.avi"

    def xgtf(self, number: int) -> Path:
        return self.path / "annotations" / f"{self.names[number]}.xgtf"

    def list_file(self, part: str) -> Path:
        return self.path / "ucfTrainTestlist" / f"{part}list01.txt"


def make_small_root(demo_root: Path, path: Path) -> SmallRoot:
    """Copy four videos, times and all: a store of one small root fits every other."""
    root = SmallRoot(path, [f"Bounce/v_Bounce_g{group:02}_c01" for group in (1, 2, 3, 4)])
    for source, ending in (("UCF-101", "avi"), ("annotations", "xgtf")):
        (root.path / source / "Bounce").mkdir(parents=True)
        for name in root.names:
            shutil.copy2(demo_root / source / f"{name}.{ending}", root.path / source / f"{name}.{ending}")
    root.list_file("test").parent.mkdir()
    root.list_file("test").write_bytes(f"{root.names[0]}.avi\r\n".encode())
    root.list_file("train").write_bytes("".join(f"{name}.avi 1\r\n" for name in root.names[1:]).encode())
    return root


@pytest.fixture
def small_root(demo_root, tmp_path) -> SmallRoot:
    return make_small_root(demo_root, tmp_path / "small")


@pytest.fixture(scope="session")
def _small_store(demo_root, tmp_path_factory) -> Path:
    root = make_small_root(demo_root, tmp_path_factory.mktemp("small") / "root")
    store = root.path / "store"
    prepare(Preparation(UCF101(root.path), BoxMasks(root.path), "boxes", store, SIZE, workers=1, timeout=600))
    return store


@pytest.fixture
def small_store(_small_store, tmp_path) -> Path:
    """The store of `small_root`, prepared with frames of 32 × 32 and its boxes; a test may break it."""
    shutil.copytree(_small_store, tmp_path / "store")
    return Path(tmp_path / "store")
