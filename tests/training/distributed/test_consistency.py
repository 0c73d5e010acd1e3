"""Machines that differ."""

import json

import pytest

from fbm.config.compose import compose
from fbm.runs.folder import Run
from fbm.training.distributed import rank
from fbm.training.distributed.consistency import MUST_MATCH, diff, environment_fingerprint
from fbm.training.distributed.worker_config import WorkerConfig
from fbm.utils.errors import UserError
from tests.tiny import settings


def test_each_difference_is_named(store):
    own = environment_fingerprint(compose(settings(store)))
    assert set(own) == set(MUST_MATCH)
    assert diff(own, dict(own)) == ""
    for key in MUST_MATCH:
        assert diff({**own, key: "other"}, own) == f"{key} other and {own[key]} there"


def test_settings_and_data_count(store, tmp_path):
    from tests.tiny import make_store

    own = environment_fingerprint(compose(settings(store)))
    assert environment_fingerprint(compose(settings(store, "optim.lr=1e-2")))["settings"] != own["settings"]
    assert environment_fingerprint(compose(settings(make_store(tmp_path, val=False))))["data"] != own["data"]


def test_a_rank_with_other_data_than_rank_0_does_not_train(store, tmp_path, control_store):
    def train(*_: object) -> None:
        raise AssertionError("it was trained")

    config = compose(settings(store))
    control_store.set("config", WorkerConfig.create(train, config, Run(tmp_path), "id").to_json())
    own = environment_fingerprint(config)
    control_store.set("environment/0", json.dumps({**own, "data": "other"}))
    with pytest.raises(UserError, match=f"data {own['data']} and other there"):
        rank.train_rank(control_store, 1)
    assert json.loads(control_store.get("environment/1")) == own
