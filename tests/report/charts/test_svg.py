import re
from itertools import pairwise

import pytest

from fbm.report.charts import Chart, Line, Mark, Style
from fbm.report.charts.svg import APART, BOTTOM, LEFT, RIGHT, TOP, WIDTH, draw, draw_alike, ticks


def chart(*marks, kind="epochs", chance=None, whole=None, lines=1):
    line = Line("a", Style(0, 0), tuple(marks), len(marks) if whole is None else whole)
    return Chart("name", "", "x", "y", (line,) * lines, chance, "", kind)


def mark(x, y, half=0.0):
    return Mark(x, y, y - half, y + half, str(x), str(y))


def test_everything_lies_within_the_axes():
    made = draw(chart(*(mark(epoch, 40 + epoch, 30) for epoch in range(1, 21)), chance=16.7))
    (stroke,) = made.strokes
    for dot in stroke.dots:
        assert LEFT < dot.x < RIGHT
        assert TOP <= dot.high < dot.y < dot.low <= BOTTOM  # down the page is up in y
    assert made.chance is not None
    assert made.y_ticks[0].label == "0"  # accuracies are drawn from nothing up
    assert made.y_ticks[0].at > made.chance > made.y_ticks[1].at


def test_a_value_on_a_tick_lies_on_the_tick():
    made = draw(chart(mark(1, 20), mark(5, 40)))
    ticks_at = {tick.label: tick.at for tick in made.y_ticks}
    assert ticks_at["20"] == made.strokes[0].dots[0].y
    assert ticks_at["40"] == made.strokes[0].dots[1].y
    assert {tick.label: tick.at for tick in made.x_ticks}["5"] == made.strokes[0].dots[1].x


def test_path_band_and_dotted_tail():
    (stroke,) = draw(chart(mark(1, 20, 5), mark(2, 30, 5), mark(3, 25), whole=2)).strokes
    assert len(re.findall("[ML]", stroke.path)) == 2
    assert len(re.findall("[ML]", stroke.band)) == 4
    assert stroke.tail.startswith(f"M{stroke.dots[1].x:g} {stroke.dots[1].y:g}L")  # from the last whole epoch
    assert draw(chart(mark(1, 20))).strokes[0].tail == ""


def test_shares_are_evenly_spaced_by_doubling_and_lines_stand_side_by_side():
    made = draw(chart(mark(25, 1), mark(50, 2), mark(100, 3), kind="shares", lines=2))
    assert [tick.label for tick in made.x_ticks] == ["25", "50", "100"]
    first, second, third = (tick.at for tick in made.x_ticks)
    assert second - first == pytest.approx(third - second, abs=0.2)
    left, right = (stroke.dots[0].x for stroke in made.strokes)
    assert left < first < right


def test_labels_that_would_touch_are_left_out_but_the_last_stays():
    shares = (1, 1.1, 2, 50, 97, 100)
    made = draw(chart(*(mark(share, 1) for share in shares), kind="shares"))
    labelled = [tick for tick in made.x_ticks if tick.label]
    assert labelled[-1].label == "100"
    assert "97" not in [tick.label for tick in labelled]
    assert all(b.at - a.at >= APART for a, b in pairwise(labelled))
    assert len(made.x_ticks) == len(shares)  # the marks of the axis stay


def test_one_point_and_one_level():
    made = draw(chart(mark(3, 0.5)))
    assert LEFT < made.strokes[0].dots[0].x < WIDTH
    assert [tick.label for tick in made.x_ticks] == ["3"]
    assert 3 <= len({tick.label for tick in made.y_ticks}) == len(made.y_ticks)


def test_charts_beside_each_other_have_the_same_axes():
    low, high = draw_alike([chart(mark(1, 5), mark(9, 10)), chart(mark(1, 50), mark(20, 90))])
    assert low.y_ticks == high.y_ticks
    assert low.x_ticks == high.x_ticks


def test_many_marks_are_thinned_out():
    made = draw(chart(*(mark(epoch, 1) for epoch in range(1, 301)))).strokes[0]
    assert len(made.dots) == 300
    assert made.every == 10


def test_ticks_are_round_and_enclose():
    found = ticks(0.871, 1.62, 6)
    assert found[0] <= 0.871
    assert found[-1] >= 1.62
    assert all(value == int(value) for value in ticks(1, 20, 8, whole=True))


def test_labels_of_an_axis_have_as_many_decimals():
    made = draw(chart(mark(1, 0.275), mark(2, 0.318)))
    assert {len(tick.label.partition(".")[2]) for tick in made.y_ticks} == {2}
