"""`fbm prepare prepare.shards=N launcher=NAME`, and what is refused."""

import subprocess

import pytest

from fbm.data.store.manifest import MANIFEST
from fbm.data.store.shards import SHARDS, Shard
from fbm.utils.files import exclusive_lock, is_locked
from tests import processes
from tests.data.store.stored import contents
from tests.tiny import fbm, only_error
from tests.waiting import wait_until

REFUSED = {
    "prepare.shards=0": "prepare.shards=0: it should be a whole number of at least 1",
    "prepare.shards=many": "prepare.shards=many: it should be",
    "prepare.shards=true": "prepare.shards=True: it should be",
    "prepare.shards=8": "prepare.shards=8: choose what runs them, launcher=joblib, slurm or submitit_local, or prepare "
    "one of them, prepare.shard=0 to 7",
    "prepare.shard=0": "prepare.shard=0: of how many? prepare.shards=8",
    "prepare.shards=8 prepare.shard=8": "prepare.shard=8: it should be a whole number from 0 to 7",
    "prepare.shards=8 prepare.shard=-1": "prepare.shard=-1: it should be",
    "launcher=joblib": "launcher=joblib runs the shards of a preparation, say how many: prepare.shards=8",
    "launcher=joblb": "no such option 'launcher/joblb'; did you mean 'joblib'?",
    "prepare.shards=8 prepare.shard=1 launcher=joblib": "launcher=joblib runs all shards, prepare.shard=1 is one: "
    "leave out one of the two",
    "-m": "fbm prepare takes no -m: one command prepares one store, in several jobs at once with prepare.shards=8 "
    "launcher=joblib",
    "--multirun prepare.shards=8 prepare.shard=range(8)": "fbm prepare takes no -m",
}


@pytest.fixture
def words(demo_root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return ["data=ucf101", f"data.root={demo_root}", "data.store=store", "data.size=32"]


@pytest.mark.parametrize("setting", REFUSED)
def test_shards_that_do_not_fit_are_one_line(setting, words, tmp_path, capsys):
    assert fbm("prepare", *words, *setting.split()) == 1
    assert only_error(capsys.readouterr().err).startswith(REFUSED[setting])
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(("launcher", "count"), [("joblib", 3), ("submitit_local", 2)])
def test_a_launcher_prepares_all_shards(launcher, count, words, demo_store, tmp_path, capfd, request, monkeypatch):
    if launcher == "joblib":
        request.getfixturevalue("joblib_ends")
    else:
        pytest.importorskip("submitit")
        # It makes a job's folder after it has started the job: forks can be there first.
        monkeypatch.setattr(processes.Fbm, "_forks", lambda *_: False)
    assert fbm("prepare", *words, f"prepare.shards={count}", f"launcher={launcher}") == 0, capfd.readouterr().err
    said = capfd.readouterr()
    assert "store: 30 prepared now; 30 videos (" in said.out
    assert "fbm: error" not in said.err
    made, one = contents(tmp_path / "store"), contents(demo_store)
    # `demo_store` was prepared without the settings that training takes over, which precede the fingerprint.
    ours, theirs = (content.pop(MANIFEST).split(b'"fingerprint"')[1] for content in (made, one))
    assert ours == theirs
    assert made == one
    if launcher == "joblib":  # what is prepared already is no matter of the launcher, and its jobs are quick to start
        assert fbm("prepare", *words, f"prepare.shards={count}", "launcher=joblib") == 0
        assert "store: nothing to do; 30 videos" in capfd.readouterr().out
    assert not (tmp_path / "store" / SHARDS).exists()


@pytest.mark.slow
def test_a_failed_shard_is_named_and_the_same_command_resumes(words, tmp_path, capfd, joblib_ends):
    shards, store = ["prepare.shards=3", "launcher=joblib"], tmp_path / "store"
    with exclusive_lock(Shard(1, 3).folder(store), "as another machine has it"):
        assert fbm("prepare", *words, *shards) == 1
    said = capfd.readouterr()
    errors = [line for line in said.err.splitlines() if line.startswith("fbm: error: ")]
    assert len(errors) == 1
    assert "1 of 3 shards failed, the first is shard 1: shard 1 of 3 of store is running already" in errors[0]
    assert "Traceback" not in said.err
    assert not (store / MANIFEST).exists()
    assert fbm("prepare", *words, *shards) == 0, capfd.readouterr().err
    assert "store: 10 prepared now; 30 videos" in capfd.readouterr().out


@pytest.mark.slow
def test_a_fault_of_all_shards_is_one_line(words, capfd, joblib_ends):
    assert fbm("prepare", *words, "data.root=nowhere", "prepare.shards=2", "launcher=joblib") == 1
    said = capfd.readouterr().err
    assert "fbm: error: 2 of 2 shards failed, the first is shard 0: data.root=nowhere: no such folder" in said
    assert "Traceback" not in said


def test_a_launcher_that_loses_a_job_is_one_line(words, capsys, monkeypatch):
    def lost(*_):
        raise RuntimeError("a worker was\nkilled")

    monkeypatch.setattr("fbm.cli.shards.launch_jobs", lost)
    assert fbm("prepare", *words, "prepare.shards=2", "launcher=joblib") == 1
    assert only_error(capsys.readouterr().err) == (
        "a shard failed: its process died (RuntimeError: a worker was killed)"
    )


@pytest.mark.slow
def test_shards_end_with_the_command_that_was_killed(words, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    hanging = ["masks=none", "masks.name=hanging", "masks.source={_target_: tests.data.failing_masks.HangingMasks}"]
    shards = [Shard(number, 2).folder(tmp_path / "store") for number in range(2)]
    command = [processes.FBM, "prepare", *words, *hanging, "prepare.shards=2", "launcher=joblib"]
    with processes.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: len(list((tmp_path / "store" / "frames").rglob("*.npy"))) >= 2, process)
        assert all(map(is_locked, shards))
        process.kill()
    wait_until(lambda: not any(map(is_locked, shards)))
