import pytest

from fbm.report.read.runs import find
from fbm.utils.errors import UserError
from tests.report.fake import fake_run


def test_epochs_count_from_one(tmp_path):
    fake_run(tmp_path / "demo", val=(0.3, 0.4), train=(0.5, 0.89, 0.90))
    fake_run(tmp_path / "demo", seed=1, train=(0.5, 0.89))
    run, never = find([tmp_path]).runs
    assert run.curve("val/clip_top1") == {1: 0.3, 2: 0.4}
    assert run.fitted_epoch == 3
    assert never.fitted_epoch is None
    assert run.curve("no/such") == {}


def test_the_file_is_parsed_once(tmp_path):
    folder = fake_run(tmp_path / "demo", val=(0.3, 0.4))
    (run,) = find([tmp_path]).runs
    assert run.curve("train/top1")
    (folder / "metrics.csv").unlink()
    assert run.curve("val/clip_top1") == {1: 0.3, 2: 0.4}


def test_an_epoch_done_again_after_a_resume(tmp_path):
    folder = fake_run(tmp_path / "demo")
    (folder / "metrics.csv").write_text("epoch,step,val/clip_top1\n0,9,0.1\n1,18,0.2\n1,18,0.3\n1,18,\n2,27,nan\n")
    (run,) = find([tmp_path]).runs
    assert run.curve("val/clip_top1") == {1: 0.1, 2: 0.3}


def test_no_file(tmp_path):
    (fake_run(tmp_path / "demo") / "metrics.csv").unlink()
    assert find([tmp_path]).runs[0].curve("val/clip_top1") == {}


def test_damaged_file(tmp_path):
    (fake_run(tmp_path / "demo") / "metrics.csv").write_text("epoch,val/clip_top1\n0,abc\n")
    with pytest.raises(UserError, match=r"metrics.csv: damaged"):
        find([tmp_path]).runs[0].curve("val/clip_top1")
