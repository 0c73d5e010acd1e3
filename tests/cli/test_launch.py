"""What `launch` makes of a job's end, with jobs that do next to nothing."""

import pytest
from omegaconf import OmegaConf

from fbm.cli.launch import launch
from fbm.config.messages import explain_hydra_error
from fbm.utils.errors import UserError
from tests.tiny import only_error


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["fbm"])
    yield
    from hydra.core.hydra_config import HydraConfig

    HydraConfig.instance().cfg = None


def test_a_job_gets_its_config():
    seen = []
    assert launch("train", lambda config: seen.append((config.seed, config.optim.lr)), ["seed=3", "optim.lr=2"]) == 0
    assert seen == [(3, 2)]


def test_an_error_of_the_users_is_one_line_and_status_1(capsys):
    def job(config):
        raise UserError("no such\nthing")

    with pytest.raises(SystemExit) as stopped:
        launch("train", job, [])
    assert stopped.value.code == 1
    assert only_error(capsys.readouterr().err) == "no such thing"


def test_a_config_that_does_not_resolve_is_one_line(capsys):
    with pytest.raises(SystemExit):
        launch("train", lambda _: OmegaConf.create({"a": "${nowhere}"}).a, [])
    assert "nowhere" in only_error(capsys.readouterr().err)


def test_an_error_of_ours_is_a_traceback():
    def job(config):
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        launch("train", job, [])


@pytest.mark.parametrize("error", [UserError("seed 1 is bad"), RuntimeError("seed 1 is bad")])
def test_a_failing_job_does_not_stop_the_sweep(capsys, error):
    seen = []

    def job(config):
        seen.append(config.seed)
        if config.seed == 1:
            raise error

    assert launch("train", job, ["-m", "seed=0,1,2"]) == 1
    assert seen == [0, 1, 2]
    captured = capsys.readouterr().err
    assert "seed 1 is bad" in captured
    assert ("Traceback" in captured) == (not isinstance(error, UserError))


def test_every_failed_job_of_a_sweep_is_told(capsys):
    def job(config):
        raise (UserError if config.seed == 0 else RuntimeError)(f"seed {config.seed} is bad")

    assert launch("train", job, ["-m", "seed=0,1"]) == 1
    captured = capsys.readouterr().err
    assert "fbm: error: seed 0 is bad" in captured
    assert "RuntimeError: seed 1 is bad" in captured


def test_an_interruption_is_status_130(capsys):
    def job(config):
        raise KeyboardInterrupt

    assert launch("train", job, []) == 130
    assert "interrupted" in only_error(capsys.readouterr().err)


def test_each_job_of_a_sweep_has_its_own_folder():
    folders = []
    assert launch("train", lambda config: folders.append(config.run_dir), ["-m", "seed=0,1", "init=random,ours"]) == 0
    assert len(set(folders)) == 4
    assert "outputs/demo/disentangle-ours-seed1" in folders


def test_a_users_configs_are_found_by_config_dir(tmp_path):
    (tmp_path / "own" / "optim").mkdir(parents=True)
    (tmp_path / "own" / "optim" / "plain.yaml").write_text("_target_: torch.optim.SGD\nlr: 0.5\n")
    seen = []
    assert (
        launch(
            "train",
            lambda config: seen.append(OmegaConf.to_container(config.optim)),
            ["--config-dir", "own", "optim=plain"],
        )
        == 0
    )
    assert seen == [{"_target_": "torch.optim.SGD", "lr": 0.5}]


def test_what_is_not_known_is_said_as_it_is():
    assert explain_hydra_error(ValueError("some\n  thing"), "train") == "some thing"
