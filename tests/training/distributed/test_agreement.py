"""Machines that are not alike."""

from fbm.config.compose import compose
from fbm.training.distributed.agreement import SAME, differences, facts
from tests.tiny import settings


def test_the_same_facts_agree_and_each_other_one_is_named(store):
    own = facts(compose(settings(store)))
    assert set(own) == set(SAME)
    assert differences(own, dict(own)) == ""
    for key in SAME:
        assert differences({**own, key: "other"}, own) == f"{key} other and {own[key]} there"


def test_settings_and_data_count(store, tmp_path):
    from tests.tiny import make_store

    own = facts(compose(settings(store)))
    assert facts(compose(settings(store, "optim.lr=1e-2")))["settings"] != own["settings"]
    assert facts(compose(settings(make_store(tmp_path, val=False))))["data"] != own["data"]
