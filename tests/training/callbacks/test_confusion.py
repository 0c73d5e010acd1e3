import io
from types import SimpleNamespace
from typing import Any

import matplotlib.image
import pytest

from fbm.models.encoder import C3DEncoder
from fbm.tasks import Autoencode, Classify
from fbm.training.callbacks import ConfusionPicture
from fbm.training.callbacks.confusion import FEW, LARGEST, draw_confusion
from tests.tasks.test_task import ADAM

COUNTS = [[3, 1, 0], [0, 2, 2], [0, 0, 0]]


def test_rows_are_shares_of_a_true_class_and_counts_are_written_in():
    axis = draw_confusion(COUNTS, ["run", "jump", "sit"]).axes[0]
    shown = axis.images[0].get_array()
    assert shown is not None
    assert shown.tolist() == [[0.75, 0.25, 0], [0, 0.5, 0.5], [0, 0, 0]]
    written = {tuple(map(int, text.get_position()[::-1])): text.get_text() for text in axis.texts}
    assert written == {(0, 0): "3", (0, 1): "1", (1, 1): "2", (1, 2): "2"}
    assert [label.get_text() for label in axis.get_yticklabels()] == ["run", "jump", "sit"]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("predicted", "true")


@pytest.mark.parametrize(("clips", "title"), [(None, "test clips"), (8, "test clips"), (9, "8 of 9 test clips")])
def test_the_title_says_which_part_was_tested(clips, title):
    assert draw_confusion(COUNTS, ["run", "jump", "sit"], clips).axes[0].get_title() == title


def test_of_many_classes_the_shades_alone():
    many = FEW + 1
    counts = [[int(row == column) for column in range(many)] for row in range(many)]
    assert not draw_confusion(counts, [str(label) for label in range(many)]).axes[0].texts


@pytest.mark.parametrize(("zero", "there"), [(True, True), (False, False)])
def test_drawn_once_by_the_first_rank(tmp_path, zero, there):
    task = Classify(C3DEncoder(4, 8, 32), ADAM, ["a", "b", "c"])
    task.test_artifacts = {"confusion": COUNTS}
    trainer: Any = SimpleNamespace(is_global_zero=zero)
    ConfusionPicture(tmp_path / "gallery").on_test_end(trainer, task)
    path = tmp_path / "gallery" / "confusion.png"
    assert path.is_file() == there
    if there:
        assert matplotlib.image.imread(path).shape[0] > 100


def test_a_pretraining_has_none(tmp_path):
    trainer: Any = SimpleNamespace(is_global_zero=True)
    ConfusionPicture(tmp_path).on_test_end(trainer, Autoencode(C3DEncoder(4, 8, 32), ADAM))
    assert list(tmp_path.iterdir()) == []


def test_names_are_no_formulas():
    figure = draw_confusion(COUNTS, ["$x^$", "a_b \\frac", "100 %"])
    figure.savefig(io.BytesIO(), format="png")
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["$x^$", "a_b \\frac", "100 %"]


def test_a_picture_of_many_classes_does_not_grow_without_end():
    assert draw_confusion([[0] * 700] * 700, [str(label) for label in range(700)]).get_figwidth() == LARGEST
