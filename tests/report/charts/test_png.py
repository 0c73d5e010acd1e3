import io
import struct

import matplotlib.colors
import matplotlib.image
import numpy as np

from fbm.report import charts
from fbm.report.charts import scarcity as scarcity_charts
from fbm.report.charts import spread, validation
from fbm.report.charts.png import COLOURS, MARKERS, draw
from fbm.report.charts.svg import SHAPES
from fbm.report.read.runs import VAL, find
from fbm.report.results import figure2
from fbm.report.scarcity import scarcity
from fbm.report.table1 import Table1, table1
from tests.report.fake import declare, fake_run, fake_study
from tests.report.full_study import full_study


def figure3(table: Table1) -> bytes | None:
    return draw(validation(table))


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
    points = {epoch: [round(value) for value in values] for epoch, values in spread(found.runs, VAL).items()}
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


def test_figure2_is_of_ours_and_not_of_a_variant(tmp_path):
    study, names = tmp_path / "demo", ("a_variant", "ours")
    for name in names:
        fake_run(study, task="disentangle", init=None, name=name, config=name)
    declare(study, *({"folder": name, "stage": "pretrain", "label": name} for name in names))
    picture, _ = figure2(find([study]))
    assert picture
    assert picture.parts[-3] == "ours"


def test_a_long_legend_is_below_the_curves_and_a_short_one_among_them(tmp_path):
    for number in range(6):
        fake_run(tmp_path / "many", init=f"init{number}")
        if number < 3:
            fake_run(tmp_path / "few", init=f"init{number}")
    few, many = (size(png) for name in ("few", "many") if (png := figure3(table1(find([tmp_path / name])))))
    assert few[0] == many[0]
    assert many[1] > 1.2 * few[1]


def test_figure2_says_why_there_is_none(tmp_path):
    fake_run(tmp_path / "demo")
    assert figure2(find([tmp_path])) == (None, "no finished disentangle run among the paths")
    run = fake_run(tmp_path / "demo", task="disentangle")
    (run / "gallery" / "test.png").unlink()
    picture, says = figure2(find([tmp_path]))
    assert picture is None
    assert "test.png does not exist" in says


def test_figure3_gives_each_share_of_labels_a_panel(tmp_path):
    table = table1(find([full_study(tmp_path)]))
    assert [(rows[0].within, len(rows)) for rows in table.comparisons] == [
        ("6.25 % of labels", 3),
        ("25 % of labels", 3),
        ("100 % of labels", 3),
    ]
    png = figure3(table)
    assert png
    width, height = size(png)
    assert width == 1280  # two a row
    assert height == 768


def test_rows_of_one_comparison_stay_together_without_a_title(tmp_path):
    table = table1(find([fake_study(tmp_path)]))
    assert [(rows[0].within, len(rows)) for rows in table.comparisons] == [("", 3)]


def test_the_scarcity_figure(tmp_path):
    table = table1(find([full_study(tmp_path)]))
    png = draw(scarcity_charts(scarcity(table), table.classes))
    assert png
    assert size(png) == (1280, 768)
    pixels = matplotlib.image.imread(io.BytesIO(png))[..., :3]
    for colour in COLOURS[:3]:  # random, autoencoder and ours are all on it
        assert (np.abs(pixels - matplotlib.colors.to_rgb(colour)).max(axis=-1) < 0.02).sum() > 500


def test_no_scarcity_figure_without_curves():
    assert draw(scarcity_charts((), classes=6)) is None


def test_both_renderers_know_every_style():
    assert len(COLOURS) == charts.COLOURS
    assert len(MARKERS) == len(SHAPES) == charts.MARKERS
    assert len(set(SHAPES)) == len(SHAPES)
