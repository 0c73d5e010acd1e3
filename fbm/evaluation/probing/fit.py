"""Classifiers of frozen features: linear, the nearest neighbours, trees. Inputs are `N D` float."""

import warnings
from typing import Any, NamedTuple

import numpy as np

# Inverse strengths of the L2 penalty, sklearn's C. The first is taken if there is no validation data.
PENALTIES = (0.1, 0.001, 0.01, 1.0)
TREES = 300
TEMPERATURE = 0.07  # of the neighbours' weights, exp(cosine / 0.07), as is customary (Wu et al., 2018)


class Labelled(NamedTuple):
    """Inputs `N D` and their labels `N`, numbers or text."""

    inputs: np.ndarray
    labels: np.ndarray


def linear(train: Labelled, penalty: float = PENALTIES[0]) -> Any:
    """Multinomial logistic regression on standardised inputs, fitted on `train` (at least two different labels)."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=1000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a thousand iterations are near enough
        return model.fit(*train)


def chosen_linear(train: Labelled, val: Labelled) -> Any:
    """`linear` on `train`, with that one of `PENALTIES` by which the labels of `val` are most probable."""
    return min((linear(train, penalty) for penalty in PENALTIES), key=lambda model: _validation_loss(model, val))


def neighbours(train: Labelled, count: int) -> Any:
    """The weighted vote of the `count` training inputs with the largest cosine, fewer where there are no more."""
    from sklearn.neighbors import KNeighborsClassifier

    count = min(count, len(train.labels))
    return KNeighborsClassifier(count, weights=_weights, metric="cosine").fit(*train)


def trees(train: Labelled) -> Any:
    """Three hundred randomised trees, always the same ones: for few inputs of unlike units."""
    from sklearn.ensemble import ExtraTreesClassifier

    return ExtraTreesClassifier(TREES, min_samples_leaf=2, random_state=0).fit(*train)


def _weights(distances: np.ndarray) -> np.ndarray:
    weights: np.ndarray = np.exp(-distances / TEMPERATURE)
    return weights


def _validation_loss(model: Any, val: Labelled) -> float:
    """Mean negative log probability of the labels, except those that were not in training."""
    from sklearn.metrics import log_loss

    known = np.isin(val.labels, model.classes_)
    if not known.any():
        return 0.0
    return float(log_loss(val.labels[known], model.predict_proba(val.inputs[known]), labels=model.classes_))
