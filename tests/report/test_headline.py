from pathlib import Path

from fbm.report.headline import headline
from fbm.report.runs import find
from fbm.report.table1 import table1
from tests.report.fake import fake_run, fake_study


def say(path: Path) -> str:
    return headline(table1(find([path])))


def test_ours_wins(tmp_path):
    said = say(fake_study(tmp_path))
    assert said.startswith("Pretrained (ours) has the highest clip accuracy, 63.0 %, 11.0 points above random")
    # 60, 66, 63: half width 7.5; 50, 52, 54: 5.0; gains 10, 14, 9: mean 11, deviation sqrt(7), half width 6.6
    assert "intervals over seeds overlap; paired by seed +11.0 ± 6.6 points" in said


def test_intervals_apart(tmp_path):
    for seed in (0, 1, 2):
        fake_run(tmp_path / "demo", init="random", seed=seed, clip=0.5 + seed / 100)
        fake_run(tmp_path / "demo", init="ours", seed=seed, clip=0.7 + seed / 100)
    assert "intervals over seeds do not overlap" in say(tmp_path)


def test_ours_loses_to_random(tmp_path):
    for seed in (0, 1):
        fake_run(tmp_path / "demo", init="random", seed=seed, clip=0.6 + seed / 100)
        fake_run(tmp_path / "demo", init="ours", seed=seed, clip=0.5 + seed / 100)
    said = say(tmp_path)
    assert said.startswith("Random initialization has the highest")
    assert "Pretrained (ours), is 10.0 points below" in said
    assert "intervals over seeds overlap" in said


def test_ours_loses_to_the_autoencoder(tmp_path):
    for init, clip in (("random", 0.5), ("autoencoder", 0.6), ("ours", 0.5)):
        fake_run(tmp_path / "demo", init=init, clip=clip)
    said = say(tmp_path)
    assert said.startswith("Pretrained (autoencoder) has the highest clip accuracy, 60.0 %, 10.0 points above")
    assert "a single run has no interval" in said
    assert "Pretrained (ours) is level with random" in said


def test_one_row_and_no_row(tmp_path):
    fake_run(tmp_path / "one")
    assert "no row to compare" in say(tmp_path / "one")
    fake_run(tmp_path / "none", clip=None)
    assert "No run has been tested" in say(tmp_path / "none")


def test_no_random_row(tmp_path):
    fake_run(tmp_path / "demo", init="autoencoder")
    fake_run(tmp_path / "demo", init="ours", comparison="other")
    said = say(tmp_path)
    assert "no tested random initialization" in said
    assert "differ in more than the initialization" in said
