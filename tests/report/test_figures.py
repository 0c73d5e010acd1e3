import struct

from fbm.report.figures import figure2, figure3, spread
from fbm.report.runs import find
from fbm.report.table1 import table1
from tests.report.fake import fake_run, fake_study


def size(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def test_figure3_is_a_picture_of_reasonable_size(tmp_path):
    table = table1(find([fake_study(tmp_path)]))
    png = figure3(table)
    assert png
    width, height = size(png)
    assert 1000 <= width <= 2000
    assert 500 <= height <= 1500
    assert 10_000 < len(png) < 500_000
    assert png == figure3(table)


def test_spread_keeps_runs_of_different_length(tmp_path):
    fake_run(tmp_path / "demo", seed=0, val=(0.1, 0.2))
    fake_run(tmp_path / "demo", seed=1, val=(0.3, 0.4, 0.5))
    found = find([tmp_path])
    points = {epoch: [round(value) for value in values] for epoch, values in spread(found.runs).items()}
    assert points == {1: [10, 30], 2: [20, 40], 3: [50]}
    assert figure3(table1(found))


def test_no_curves(tmp_path):
    fake_run(tmp_path / "demo", val=())
    assert figure3(table1(find([tmp_path]))) is None


def test_figure2_takes_the_lowest_seed(tmp_path):
    for seed in (10, 2):
        fake_run(tmp_path / "demo", task="disentangle", seed=seed)
    picture, says = figure2(find([tmp_path]))
    assert picture
    assert picture.parts[-3:] == ("disentangle-random-seed2", "gallery", "test.png")
    assert "seed2" in says


def test_figure2_says_why_there_is_none(tmp_path):
    fake_run(tmp_path / "demo")
    assert figure2(find([tmp_path])) == (None, "no finished disentangle run among the paths")
    run = fake_run(tmp_path / "demo", task="disentangle")
    (run / "gallery" / "test.png").unlink()
    picture, says = figure2(find([tmp_path]))
    assert picture is None
    assert "test.png does not exist" in says
