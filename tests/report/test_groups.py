from typing import Any

import pytest

from fbm.report.groups import groups
from fbm.report.read.runs import find
from fbm.report.table1 import table1
from fbm.utils.errors import UserError
from tests.report.fake import declare, fake_run


def start(run: str, fingerprint: str = "f") -> dict[str, Any]:
    return {"pretraining": {"folder": f"o/{run}", "study": "o", "run": run, "seed": 0, "fingerprint": fingerprint}}


def test_by_initialisation_and_seed(tmp_path):
    for init, seed in (("zebra", 0), ("ours", 2), ("random", 1), ("ours", 0)):
        fake_run(tmp_path / "demo", init=init, seed=seed)
    made = groups(find([tmp_path]).runs)
    assert [(group[0].init, [run.summary.seed for run in group]) for group in made] == [
        ("random", [1]), ("ours", [0, 2]), ("zebra", [0]),
    ]  # fmt: skip


def test_unlike_pretrainings_are_never_averaged_and_told_apart(tmp_path):
    """The config fingerprint holds the pretraining's: see tests/runs/test_fingerprints.py."""
    for kind, clip in (("wide", 0.6), ("narrow", 0.8)):
        for seed in (0, 1):
            fake_run(
                tmp_path / "demo", init="ours", seed=seed, clip=clip, config=f"c-{kind}", name=f"{kind}-{seed}",
                more=start(f"pre-{kind}", kind),
            )  # fmt: skip
    table = table1(find([tmp_path]))
    assert {row.label: row.clip and row.clip.mean for row in table.rows} == {
        "Pretrained (ours) (pretraining=pre-narrow)": 0.8,
        "Pretrained (ours) (pretraining=pre-wide)": 0.6,
    }
    assert table.notes == ()  # one comparison: the initialisations are what differs


def test_pretrainings_of_a_study_are_called_by_what_it_declares(tmp_path):
    jobs = []
    for frames in (8, 16):
        for seed in (0, 1):
            run = fake_run(
                tmp_path / "demo", init="ours", seed=seed, config=f"c{frames}", name=f"f{frames}-{seed}",
                more=start(f"pre{frames}-seed{seed}", f"p{frames}"),
            )  # fmt: skip
            jobs.append({"folder": run.name, "values": {"init": "ours", "seed": seed, "task.frames": frames}})
    table = table1(find([declare(tmp_path / "demo", *jobs)]))
    assert [row.label for row in table.rows] == [
        "Pretrained (ours) (task.frames=8)", "Pretrained (ours) (task.frames=16)",
    ]  # fmt: skip


def test_rows_of_one_initialisation_are_in_the_order_of_their_values(tmp_path):
    """The fingerprints are against it, and as text 0.5 is before 0, and 1e-05 after 10."""
    shown = [("0.25", 0), ("0.25", 0.5), ("0.25", 10), ("1.0", 1e-5), ("1.0", 0.5), ("1.0", 1)]
    for at, (fraction, gradient) in enumerate(shown):
        extra = {"task": {"encoder_gradient": gradient}, "data": {"label_fraction": float(fraction)}}
        fake_run(tmp_path / "demo", init="ours", config=f"c{9 - at}", name=f"r{at}", extra=extra)
    called: dict[float, str] = {0: "linear", 1: "fine-tuned"}
    assert [row.label for row in table1(find([tmp_path])).rows] == [
        f"Pretrained (ours) ({called.get(gradient, f'task.encoder_gradient={gradient}')}), "
        f"{100 * float(fraction):g} % of labels"
        for fraction, gradient in shown
    ]


@pytest.mark.parametrize(
    ("rates", "names"),
    [
        ((1e-3,), ["linear", "fine-tuned"]),
        ((1e-3, 1e-4), ["linear, optim.lr=0.01", "fine-tuned, optim.lr=0.0001", "fine-tuned, optim.lr=0.001"]),
    ],
)
def test_one_recipe_a_protocol_is_called_by_the_protocol(rates, names, tmp_path):
    for init in ("random", "ours"):
        for gradient, rate in ((0.0, 1e-2), *((1.0, rate) for rate in rates)):
            kind = f"g{gradient}-lr{rate}"
            fake_run(
                tmp_path / "demo", init=init, config=f"{init}-{kind}", comparison=kind, name=f"{init}-{kind}",
                extra={"task": {"encoder_gradient": gradient}, "optim": {"lr": rate}},
            )  # fmt: skip
    found = table1(find([tmp_path]))
    labels = [row.label for row in found.rows if row.label.startswith("Pretrained (ours)")]
    assert labels == [f"Pretrained (ours) ({name})" for name in names]
    assert {row.within for row in found.rows} == set(names)
    assert "task.encoder_gradient, optim.lr" in found.notes[0]


def test_the_fingerprint_orders_only_what_nothing_else_tells_apart(tmp_path):
    for config in ("b", "a"):
        fake_run(tmp_path / "demo", init="ours", config=config, name=f"run-{config}")
    assert [group[0].summary.fingerprints.config for group in groups(find([tmp_path]).runs)] == ["a", "b"]


def test_what_a_study_declares_to_vary_is_no_warning(tmp_path):
    jobs = []
    for gradient in (0.0, 1.0):
        for init in ("random", "ours"):
            run = fake_run(
                tmp_path / "demo", init=init, comparison=f"g{gradient}", name=f"{init}-{gradient}",
                extra={"task": {"encoder_gradient": gradient}},
            )  # fmt: skip
            values = {"init": init, "seed": 0, "task.encoder_gradient": gradient}
            jobs.append({"folder": run.name, "label": init, "values": values})
    declared = table1(find([declare(tmp_path / "demo", *jobs)]))
    assert declared.notes == (
        "Initializations are compared where these are equal, never across them: task.encoder_gradient.",
    )
    assert [row.within for row in declared.rows][:2] == ["linear", "fine-tuned"]
    (tmp_path / "demo" / "study.json").unlink()
    assert "Not one fair comparison" in table1(find([tmp_path])).notes[0]


def test_a_difference_that_no_key_shows_stays_a_warning(tmp_path):
    for comparison, fraction in (("a", 0.25), ("b", 1.0), ("c", 1.0)):
        fake_run(
            tmp_path / "demo", comparison=comparison, name=comparison, extra={"data": {"label_fraction": fraction}}
        )
    assert "Not one fair comparison" in table1(find([tmp_path])).notes[0]


def test_doubles_are_refused_naming_both(tmp_path):
    fake_run(tmp_path / "demo", name="one")
    fake_run(tmp_path / "demo", name="two")
    with pytest.raises(UserError, match=r"one and .*two are the same run twice"):
        groups(find([tmp_path]).runs)
