import sys

import pytest

from fbm.cli.doctor.configs import check_config, options
from fbm.config.compose import conf_dir
from tests.tiny import fbm

ENCODER = "width: 4\nframes: ${data.clip_frames}\nsize: ${data.size}\n"
MODULE = """
from fbm.models.encoder import C3DEncoder

class Mine(C3DEncoder):
    def __init__(self, width: int, frames: int, size: int, extra: float = 0.5) -> None:
        super().__init__(width, frames, size)
"""
BROKEN = {
    "typo": (f"_target_: mine.Mine\nextr: 1\n{ENCODER}", "did you mean 'extra'?"),
    "type": ("_target_: mine.Mine\nwidth: wide\nframes: 16\nsize: 64\n", "encoder.width='wide'"),
    "lacking": ("_target_: mine.Mine\nwidth: 4\n", "missing a required argument: 'frames'"),
    "noclass": (f"_target_: mine.Nothing\n{ENCODER}", "encoder._target_=mine.Nothing cannot be imported"),
    "nomodule": (f"_target_: nomodule.Mine\n{ENCODER}", "encoder._target_=nomodule.Mine cannot be imported"),
    "notarget": (ENCODER, "no _target_"),
    "syntax": ("_target_: mine.Mine\n  width: [4\n", "syntax.yaml"),
    "value": ("_target_: mine.Mine\nwidth: 4\nframes: 16\nsize: 33\n", "size 33 must be a multiple of 32"),
    "nosuch": ("defaults: [c4d]\n", "encoder/c4d"),
}


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A user's folder of configs, and the module that they name."""
    (tmp_path / "mine.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mine", raising=False)  # of another test's folder
    folder = tmp_path / "own" / "encoder"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(f"_target_: mine.Mine\nextra: 0.25\n{ENCODER}")
    monkeypatch.chdir(tmp_path)
    return folder.parent


@pytest.mark.parametrize(("group", "option"), sorted(options(conf_dir())))
def test_every_shipped_config_composes_and_builds(group, option):
    assert check_config(group, option) is None


def test_no_shipped_config_is_overlooked():
    files = [path for path in conf_dir().rglob("*.yaml") if path.parent != conf_dir()]
    assert len(list(options(conf_dir()))) == len(files) > 20


def test_a_users_own_config_is_examined_too(own, capsys, monkeypatch):
    encoders = [[pair for pair in options(folder) if pair[0] == "encoder"] for folder in (conf_dir(), own)]
    monkeypatch.setattr(
        "fbm.cli.doctor.configs.options", lambda folder: encoders[folder == own.relative_to(own.parent)]
    )
    assert check_config("encoder", "mine", own) is None
    assert fbm("doctor", "config", "--config-dir", "own") == 0
    out = capsys.readouterr().out.splitlines()
    assert "ok    encoder=mine" in out
    assert "ok    encoder=c3d" in out
    assert "ok    encoder=r2plus1d18" in out
    assert out[-1] == "5 config files, 0 wrong"


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_with_a_users_config_is_said_in_a_line(own, name):
    content, said = BROKEN[name]
    (own / "encoder" / f"{name}.yaml").write_text(content)
    problem = check_config("encoder", name, own)
    assert problem is not None
    assert said in problem
    assert "\n" not in problem


def test_a_broken_file_is_named_among_the_good_ones(own, capsys, monkeypatch):
    monkeypatch.setattr("fbm.cli.doctor.configs.conf_dir", lambda: own)  # quicker than all that are shipped
    monkeypatch.setattr(
        "fbm.cli.doctor.configs.check_config", lambda group, option, _: "broken" if option == "typo" else None
    )
    (own / "encoder" / "typo.yaml").write_text(BROKEN["typo"][0])
    assert fbm("doctor", "config") == 1
    assert capsys.readouterr().out.splitlines() == [
        "ok    encoder=mine",
        "WRONG encoder=typo: broken",
        "2 config files, 1 wrong",
    ]


def test_no_such_folder(tmp_path, capsys):
    assert fbm("doctor", "config", "--config-dir", str(tmp_path / "nowhere")) == 1
    assert "no such folder" in capsys.readouterr().err
