from collections.abc import Mapping, Sequence
from typing import Any

from fbm.report.labels import differing_keys, natural_sort_key, order, printable, variant


def differing(*groups: Sequence[Mapping[str, Any]]) -> list[str]:
    return differing_keys([[printable(config) for config in group] for group in groups])


def test_order():
    assert sorted(["zebra", "ours", "alpha", "random", "autoencoder"], key=order) == [
        "random", "autoencoder", "ours", "alpha", "zebra",
    ]  # fmt: skip


def test_numbers_are_in_order_as_numbers():
    values = ["[8, 16]", "nan", "10", "1e-05", "0.5", "True", "-1", None, "", "9"]
    ordered = [None, "-1", "1e-05", "0.5", "9", "10", "", "True", "[8, 16]", "nan"]
    assert sorted(values, key=natural_sort_key) == ordered


def test_only_choices_that_tell_groups_apart():
    slow: list[Mapping[str, Any]] = [
        {"seed": 0, "lr": 1, "cpus": 2, "data": {"root": "/a"}},
        {"seed": 1, "lr": 1, "cpus": 4},
    ]
    fast = [{"seed": 0, "lr": 2, "cpus": 2, "data": {"root": "/b"}}]
    assert differing(slow, fast) == ["lr"]


def test_places_are_no_choices():
    here = {"init": {"weights": "/runs/a/best.ckpt"}, "data": {"workers": 1}, "logger": {"mode": "on"}}
    there = {"init": {"weights": "/runs/b/best.ckpt"}, "data": {"workers": 2}, "logger": {"mode": "off"}}
    assert differing([here], [there]) == []


def test_a_key_one_side_lacks_counts():
    assert differing([{"mask": {"kind": "box"}}], [{}]) == ["mask.kind"]


def test_what_is_shown_beside_the_training_is_no_difference():
    bar = {"callbacks": {"progress": None, "gallery": {"every": 5}}, "trainer": {"log_every_n_steps": 50}}
    none = {"callbacks": {"progress": {"leave": False}}, "trainer": {"log_every_n_steps": 1}, "compile": True}
    assert differing([{**bar, "optim": {"lr": 1}}], [{**none, "optim": {"lr": 2}}]) == ["optim.lr"]
    assert differing([bar], [none]) == []


def test_what_matters_most_names_a_row_first_and_nothing_twice():
    def config(size: int, metric: str, lr: float, cpu: str, epochs: int) -> dict[str, Any]:
        monitored = {"checkpoint": {"monitor": metric}, "early_stopping": {"monitor": metric, "patience": epochs + 1}}
        return {
            **{
                "callbacks": monitored,
                "monitor": {"metric": metric},
                "data": {"size": size},
                "encoder": {"size": size},
            },
            **{
                "optim": {"lr": lr},
                "trainer": {"accelerator": cpu, "max_epochs": epochs},
                "masks": {"name": metric[4:]},
            },
        }

    keys = differing([config(32, "val/a", 0.1, "cpu", 1)], [config(64, "val/b", 0.2, "gpu", 9)])
    assert keys == [
        "data.size", "masks.name", "optim.lr", "trainer.max_epochs", "callbacks.early_stopping.patience",
        "trainer.accelerator",
    ]  # fmt: skip


def test_variant():
    assert variant(printable({"a": {"b": 1}}), ["a.b", "c"], "f" * 20) == "a.b=1, c=absent"
    assert variant({}, [], "0123456789") == "config 01234567"
    assert variant({}, list("abcde"), "").endswith("and 2 more")
