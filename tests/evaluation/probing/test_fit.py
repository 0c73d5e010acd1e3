import numpy as np
import pytest

from fbm.evaluation.probing.fit import PENALTIES, TEMPERATURE, Labelled, chosen_linear, linear, neighbours

RNG = np.random.default_rng(0)
LABELS = np.arange(60) % 3


def inputs(noise: float, labels: np.ndarray = LABELS) -> np.ndarray:
    """Three clusters in ten dimensions, one of them a thousand times as wide as the others, one constant."""
    rng = np.random.default_rng(len(labels))
    made = rng.normal(size=(len(labels), 10)) * noise
    made[np.arange(len(labels)), labels] += 1
    made[:, 9] = 7.0
    return np.asarray(made * np.array([1000.0] + [1.0] * 9))


def test_the_linear_probe_separates_clusters_whatever_the_scale_of_their_dimensions():
    test = np.arange(30) % 3
    model = linear(Labelled(inputs(0.1), LABELS))
    assert model.score(inputs(0.1, test), test) == 1.0
    assert model[0].scale_[0] > 300  # standardised: one dimension is wide


def test_answers_may_be_names():
    names = np.array(["a", "b", "c"])[LABELS]
    assert (linear(Labelled(inputs(0.1), names)).predict(inputs(0.1)) == names).all()


def strength(model) -> float:
    return float(model[-1].C)


def test_validation_chooses_the_penalty():
    """Where validation is pure noise the most cautious probe is the best, where it is clean the boldest."""
    train = Labelled(inputs(0.3), LABELS)
    noise = Labelled(RNG.permutation(inputs(0.3)), LABELS)
    assert strength(chosen_linear(train, train)) == max(PENALTIES)
    assert strength(chosen_linear(train, noise)) == min(PENALTIES)


@pytest.mark.parametrize("answers", [np.array([], int), np.array([8, 9])])
def test_nothing_to_choose_by_takes_the_first_penalty(answers):
    val = Labelled(np.ones((len(answers), 10)), answers)
    assert strength(chosen_linear(Labelled(inputs(0.3), LABELS), val)) == PENALTIES[0]


def test_validation_answers_unseen_in_training_do_not_count():
    train, val = Labelled(inputs(0.3), LABELS), Labelled(inputs(0.5), LABELS)
    more = Labelled(np.concatenate([val.inputs, np.ones((5, 10))]), np.concatenate([LABELS, np.full(5, 9)]))
    assert strength(chosen_linear(train, val)) == strength(chosen_linear(train, more))


def test_neighbours_vote_by_cosine_with_their_weights():
    """One neighbour in the same direction outweighs two of another class at 30 degrees; length counts for nothing."""
    angles = np.radians([0, 30, -30, 90])
    known = Labelled(
        np.stack([np.cos(angles), np.sin(angles)], 1) * np.array([[9.0], [1], [1], [1]]), np.array([0, 1, 1, 2])
    )
    model = neighbours(known, 3)
    votes = model.predict_proba([[2.0, 0.0]])[0]
    weight = np.exp(-(1 - np.cos(np.radians(30))) / TEMPERATURE)
    np.testing.assert_allclose(votes, np.array([1, 2 * weight, 0]) / (1 + 2 * weight), rtol=1e-6)
    assert votes.argmax() == 0


def test_no_more_neighbours_than_there_are():
    known = Labelled(np.eye(3), np.arange(3))
    assert (neighbours(known, 20).predict(np.eye(3)) == np.arange(3)).all()
