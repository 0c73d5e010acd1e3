"""Scores of made answers: each part holds its own factor, all hold all, the wrong one, or nothing."""

import numpy as np
import pytest

from fbm.evaluation.probing.intervals import Resampling
from fbm.evaluation.probing.probes import ProbeTarget, Reading, Readings
from fbm.evaluation.scoring.table import CELLS, OF_PARTS, WHOLE, mean, table_scores

CLIPS = 60
GROUPS = np.repeat(np.arange(12), 5)
LABELS = np.arange(CLIPS) % 3
FACTORS = ("motion", "object", "scene")
TARGETS = [ProbeTarget(factor, {"test": LABELS}, 3) for factor in FACTORS]
HOW = Resampling(200, 0)
KNOWN = Reading(np.ones(CLIPS, bool), np.log(np.full(CLIPS, 1.0)))
UNKNOWN = Reading(LABELS == 0, np.log(np.full(CLIPS, 1 / 3)))  # a third right, chance
OWN = {("motion", "motion"), ("foreground", "object"), ("background", "scene")}


def answers(known: set[tuple[str, str]]) -> Readings:
    found = {cell: KNOWN if cell in known else UNKNOWN for cell in CELLS}
    return {**found, **{("all", factor): KNOWN for factor in FACTORS}}


def values(readings: Readings) -> dict[str, float | None]:
    made = table_scores(readings, answers(set()), [answers(set(CELLS)), answers(OWN)], TARGETS, GROUPS, HOW)
    return {score.name: score.value and score.value.value for score in made}


@pytest.mark.parametrize(
    ("known", "wanted"),
    [
        (OWN, (1, 1, 1, 1, 1, 1, 1, 0)),
        (set(CELLS), (1, 0, 0, 0, 0, 0, 0, 1)),
        ({("motion", "object"), ("foreground", "scene"), ("background", "motion")}, (1, 1, 1, 1, 1, 1, -0.5, None)),
        ({(part, "motion") for part, _ in CELLS}, (1, 1, 0, 0, 0, 1, 0, 1)),
        (set(), (1, 0, 0, 0, 0, 0, 0, None)),
    ],
)
def test_made_answers(known, wanted):
    found = values(answers(known))
    assert list(found) == [WHOLE, *OF_PARTS]
    assert [value if value is None else round(value, 9) for value in found.values()] == list(wanted)


def test_untrained_encoder_and_permuted_channels_stand_beside():
    made = table_scores(answers(OWN), answers(set()), [answers(set(CELLS)), answers(OWN)], TARGETS, GROUPS, HOW)
    scores = {score.name: score for score in made}
    assert scores["diagonality"].untrained
    assert scores["diagonality"].untrained.value == 0
    assert scores["diagonality"].permuted == pytest.approx(0.5)  # of 0 and 1
    assert scores["leakage"].permuted == pytest.approx(0.5)  # of 1 and 0
    assert scores[WHOLE].permuted is None  # the whole feature has no parts
    assert scores[WHOLE].untrained == (1, 1, 1)


def test_intervals_are_over_groups():
    """Half of the groups wholly right: the interval of twelve groups, not of sixty clips."""
    half = Reading(GROUPS % 2 == 0, np.log(np.full(CLIPS, 0.5)))
    readings = {**answers(OWN), **{("all", factor): half for factor in FACTORS}}
    [found, *_] = table_scores(readings, answers(OWN), [], TARGETS, GROUPS, HOW)
    assert found.value
    assert found.value.value == pytest.approx((0.5 - 1 / 3) / (2 / 3))
    assert found.value.low == 0
    assert 0.5 < found.value.high < 0.85


def test_noise_has_intervals_that_hold_the_null():
    rng = np.random.default_rng(0)

    def noise() -> Readings:
        return {cell: Reading(rng.random(CLIPS) < 0.45, np.log(rng.uniform(0.2, 0.6, CLIPS))) for cell in answers(OWN)}

    made = {score.name: score for score in table_scores(noise(), noise(), [noise()], TARGETS, GROUPS, HOW)}
    score = made["diagonality"]
    assert score.value
    assert score.value.low < 0 < score.value.high
    assert made["modularity"].value
    assert made["modularity"].value.value > 0.3  # the score that noise alone makes large


def test_without_parts_the_whole_alone_is_scored():
    whole = {cell: reading for cell, reading in answers(OWN).items() if cell[0] == "all"}
    assert [score.name for score in table_scores(whole, whole, [], TARGETS, GROUPS, HOW)] == [WHOLE]


def test_a_factor_of_one_value_in_the_test_clips_cannot_be_scored():
    same = [TARGETS[0]._replace(labels={"test": np.zeros(CLIPS, int)}), *TARGETS[1:]]
    assert table_scores(answers(OWN), answers(OWN), [], same, GROUPS, HOW) == []


def test_the_mean_of_what_is_defined():
    assert mean([1.0, np.nan, 2.0]) == 1.5
    assert mean([np.nan]) is None
    assert mean([]) is None
