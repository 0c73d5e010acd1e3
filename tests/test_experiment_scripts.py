"""Bad input to the scripts of experiments/ is one line."""

import contextlib
import sys

import pytest

from fbm.utils.messages import exit_status
from tests.conftest import REPOSITORY
from tests.scripts import load_script

FOLDER = "FOLDER"  # stands for one that is missing, or empty
COMMANDS = {
    "beyond/quality.py": [FOLDER],
    "boxes_on_frames/run.py": ["--store", FOLDER, "--out", "picture.png"],
    "demo_design/ucf_statistics.py": ["--root", FOLDER],
    "mask_quality/make_masks.py": [FOLDER, "masks"],
    "mask_quality/place_or_colour.py": [FOLDER],
    "norms/batch_statistics.py": [FOLDER, FOLDER],
    "norms/table.py": [FOLDER],
    "paper_gpu/pack.py": [FOLDER],
    "paper_gpu/run.py": [FOLDER],
    "table1/between_clips.py": ["--store", FOLDER, FOLDER],
    "unsupervised_masks/davis.py": ["--davis", FOLDER],
    "unsupervised_masks/demo.py": ["--store", FOLDER],
    "unsupervised_masks/learned.py": ["--davis", FOLDER],
    "unsupervised_masks/leave_one_out.py": ["--davis", FOLDER],
    "unsupervised_masks/random_frames.py": ["--store", FOLDER, "--out", "picture.png"],
    "unsupervised_masks/sensitivity.py": ["--davis", FOLDER],
}
WITHOUT_INPUT = {"bare_machine/carry.py", "bench_gpu/run.py", "interruptions/kill.py"}


def test_every_script_is_here():
    experiments = REPOSITORY / "experiments"
    scripts = {path for path in experiments.glob("*/*.py") if "__main__" in path.read_text()}
    assert {path.relative_to(experiments).as_posix() for path in scripts} == COMMANDS.keys() | WITHOUT_INPUT


@pytest.mark.parametrize("folder", ["missing", "empty"])
@pytest.mark.parametrize("script", COMMANDS)
def test_a_folder_that_is_none_or_has_nothing_in_it(script, folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(sys, "argv", [script, *(folder if word == FOLDER else word for word in COMMANDS[script])])
    with contextlib.suppress(SystemExit):  # of argparse, whose status is 2
        assert exit_status(load_script(script).main) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert ": error: " in line
    assert folder in line
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
