import json

import pytest

from fbm.report.page.per_class import DEEP, confusions, matrix, spreads
from fbm.report.read.runs import find
from fbm.report.table1 import table1
from fbm.utils.errors import UserError
from tests.report.fake import fake_run
from tests.report.full_study import full_study

TWO = ["Bounce", "Spin"]


def run(top, seed, confusion, init="random", classes=TWO):
    return fake_run(top / "demo", init=init, seed=seed, more={"classes": classes, "confusion": confusion})


def read(top):
    return confusions(table1(find([top])))


def test_counts_are_summed_and_accuracies_kept_by_seed(tmp_path):
    run(tmp_path, 0, [[8, 2], [5, 5]])
    run(tmp_path, 1, [[6, 4], [1, 9]])
    (found,) = read(tmp_path)
    assert found.counts == ((14, 6), (6, 14))
    assert found.accuracies == ((0.8, 0.6), (0.5, 0.9))
    assert found.seeds == (0, 1)
    bounce, spin = spreads([found])
    assert bounce == ("Bounce", [("70.0", "(60.0 to 80.0)")])
    assert spin == ("Spin", [("70.0", "(50.0 to 90.0)")])


def test_cells_say_what_was_taken_for_what(tmp_path):
    run(tmp_path, 0, [[18, 2], [0, 0]])
    (found,) = read(tmp_path)
    (right, wrong), (nothing, _) = matrix(found)
    assert (right.text, right.tooltip) == ("90", "Bounce recognised: 18 of 20 clips, 90.0 %")
    assert right.deep == (DEEP < 0.9)
    assert (wrong.text, wrong.share, wrong.deep) == ("10", 0.1, False)
    assert wrong.tooltip == "Bounce taken for Spin: 2 of 20 clips, 10.0 %"
    assert (nothing.text, nothing.share) == ("", 0)
    assert spreads([found])[1] == ("Spin", [("–", "")])  # no test clip of that class


def test_rows_without_a_matrix_are_left_out(tmp_path):
    run(tmp_path, 0, [[1, 0], [0, 1]])
    run(tmp_path, 1, None)
    run(tmp_path, 0, None, init="ours")
    (found,) = read(tmp_path)
    assert found.label == "Random initialization"
    assert found.seeds == (0,)
    assert spreads([]) == []


def test_the_trace_is_the_clip_accuracy(tmp_path):
    study = full_study(tmp_path, fractions=(1.0,))
    table = table1(find([study]))
    for row, found in zip(table.rows, confusions(table), strict=True):
        assert row.clip
        right, clips = sum(found.counts[at][at] for at in range(6)), sum(map(sum, found.counts))
        assert right / clips == pytest.approx(row.clip.mean)


@pytest.mark.parametrize("confusion", [[[1, 2]], [[1, 2], [3]], [[1, 2], [3, -4]], []])
def test_a_matrix_that_does_not_fit_is_named(tmp_path, confusion):
    run(tmp_path, 0, confusion)
    with pytest.raises(UserError, match=r"classify-random-seed0/summary.json: confusion is not a 2 x 2 matrix"):
        read(tmp_path)


def test_a_matrix_of_words_is_a_damaged_summary(tmp_path):
    folder = run(tmp_path, 0, [[1, 0], [0, 1]])
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps({**summary, "confusion": [["many"]]}))
    with pytest.raises(UserError, match=r"damaged summary \(confusion"):
        read(tmp_path)
