from pathlib import Path

from fbm.report.comparisons import differences
from fbm.report.read.runs import find
from fbm.report.summary_sentence import summary_sentence
from fbm.report.table1 import table1
from fbm.report.table1_table import full_table
from tests.report.fake import fake_run, labelled


def say(path: Path) -> str:
    table = table1(find([path]))
    return summary_sentence(table, differences(table))


def test_ours_wins(tmp_path):
    study = tmp_path / "demo"
    for seed, (low, high) in enumerate([(0.50, 0.60), (0.52, 0.66), (0.54, 0.63)]):
        fake_run(study, init="random", seed=seed, clip=low)
        fake_run(study, init="ours", seed=seed, clip=high)
    said = say(study)
    assert said.startswith("Pretrained (ours) has the highest clip accuracy, 63.0 %, and is 11.0 points above random")
    assert said.endswith(" Chance is 25.0 %.")
    # 60, 66, 63: half width 7.5; 50, 52, 54: 5.0; gains 10, 14, 9: mean 11, deviation sqrt(7), half width 6.6
    assert "intervals over seeds overlap; paired by seed +11.0 ± 6.6 points" in said


def test_intervals_apart(tmp_path):
    for seed in (0, 1, 2):
        fake_run(tmp_path / "demo", init="random", seed=seed, clip=0.5 + seed / 100)
        fake_run(tmp_path / "demo", init="ours", seed=seed, clip=0.7 + seed / 100)
    assert "intervals over seeds do not overlap" in say(tmp_path)


def test_ours_loses_to_random(tmp_path):
    for seed in (0, 1):
        fake_run(tmp_path / "demo", init="random", seed=seed, clip=0.6 + seed / 100)
        fake_run(tmp_path / "demo", init="ours", seed=seed, clip=0.5 + seed / 100)
    said = say(tmp_path)
    assert said.startswith(
        "No row is shown to be best: Random initialization is not distinguished from pretrained (ours) (the 95 % "
        "intervals over seeds overlap). Random initialization has the highest"
    )
    assert "Pretrained (ours), is 10.0 points below" in said
    assert "intervals over seeds overlap" in said


def test_ours_loses_to_the_autoencoder(tmp_path):
    for init, clip in (("random", 0.5), ("autoencoder", 0.6), ("ours", 0.5)):
        fake_run(tmp_path / "demo", init=init, clip=clip)
    said = say(tmp_path)
    few = "(too few seeds for a test)"
    assert said.startswith(
        "No row is shown to be best: Pretrained (autoencoder) is not distinguished from random initialization "
        f"{few} and pretrained (ours) {few}. Pretrained (autoencoder) has the highest clip accuracy, 60.0 %, and is "
    )
    assert "a single run has no interval" in said
    assert "Pretrained (ours) is level with random" in said


def seeds(study: Path, init: str, **clips: float) -> None:
    for seed, clip in clips.items():
        fake_run(study, init=init, seed=int(seed.removeprefix("s")), clip=clip)


def test_where_seeds_are_missing_the_margin_is_over_the_common_ones(tmp_path):
    """Means 78.8 and 55.0, so 23.8 apart; on seeds 2 and 3 the differences are -5.0 and -7.4: t is 12.706."""
    seeds(tmp_path / "demo", "random", s0=0.2, s1=0.3, s2=0.9, s3=0.8)
    seeds(tmp_path / "demo", "ours", s2=0.85, s3=0.726)
    assert say(tmp_path) == (
        "No row is shown to be above chance. No row is shown to be best: Pretrained (ours) is not distinguished from "
        "random initialization (Holm's p = 0.122). "
        "Pretrained (ours) has the highest clip accuracy, 78.8 % over its own seeds, and is 6.2 points below random "
        "initialization over the 2 common seeds (78.8 % against 85.0 % there; paired by seed -6.2 ± 15.2 points). "
        "Chance is 25.0 %."
    )


def test_one_common_seed_and_a_run_without_a_test(tmp_path):
    seeds(tmp_path / "demo", "random", s0=0.9, s1=0.5)
    seeds(tmp_path / "demo", "ours", s1=0.6, s2=0.62)
    fake_run(tmp_path / "demo", init="ours", seed=0, clip=None)
    assert say(tmp_path) == (
        "No row is shown to be best: Random initialization is not distinguished from pretrained (ours) (the 95 % "
        "intervals over seeds overlap). Random initialization has the highest clip accuracy, 70.0 % over its own "
        "seeds; the next row, Pretrained "
        "(ours), is 10.0 points above random initialization over the 1 common seed (60.0 % against 50.0 % there; "
        "a single pair has no interval, so chance cannot be judged). Chance is 25.0 %; random initialization is not "
        "shown to be above it."
    )


def test_without_a_common_seed_there_is_no_margin(tmp_path):
    seeds(tmp_path / "demo", "random", s0=0.30, s1=0.31)
    seeds(tmp_path / "demo", "autoencoder", s0=0.90, s1=0.92)
    seeds(tmp_path / "demo", "ours", s2=0.50, s3=0.51)
    said = say(tmp_path)
    assert said.endswith(
        " Pretrained (ours) shares no seed with random initialization (30.5 %), so there is no margin between them. "
        "Chance is 25.0 %; random initialization is not shown to be above it."
    )
    assert "91.0 %, and is 60.5 points above random initialization (30.5 %; the 95 % intervals over seeds do" in said


def test_one_row_and_no_row(tmp_path):
    fake_run(tmp_path / "one")
    assert "no row to compare" in say(tmp_path / "one")
    fake_run(tmp_path / "none", clip=None)
    assert "No run has been tested" in say(tmp_path / "none")


def test_no_random_row(tmp_path):
    fake_run(tmp_path / "demo", init="autoencoder")
    fake_run(tmp_path / "demo", init="ours", comparison="other")
    said = say(tmp_path)
    assert "no tested random initialization" in said
    assert "differ in more than the initialization" in said


def test_shares_of_labels_are_never_compared_with_each_other(tmp_path):
    for init, low, high in (("random", 0.3, 0.7), ("ours", 0.4, 0.6)):
        labelled(tmp_path / "demo", init, 0.1, 0, low)
        labelled(tmp_path / "demo", init, 0.5, 0, 0.95)
        labelled(tmp_path / "demo", init, 1.0, 0, high)
    first, second = say(tmp_path).split(" With 100 % of labels: ")
    assert first.startswith(
        "With 10 % of labels: No row is shown to be best: Pretrained (ours) is not distinguished from"
    )
    assert " Pretrained (ours) has the highest clip accuracy, 40.0 %, and is 10.0 points above random" in first
    assert "Random initialization has the highest clip accuracy, 70.0 %" in second
    assert "differ in more" not in first + second


def test_the_share_that_nobody_tested_is_left_out(tmp_path):
    labelled(tmp_path / "demo", "random", 0.1, 0, None)
    labelled(tmp_path / "demo", "random", 0.5, 0, 0.5)
    labelled(tmp_path / "demo", "ours", 0.5, 0, 0.6)
    assert " Pretrained (ours) has the highest clip accuracy, 60.0 %, and is 10.0 points above" in say(tmp_path)
    assert "labels" not in say(tmp_path)


def test_the_base_is_of_the_same_comparison(tmp_path):
    fake_run(tmp_path / "demo", init="random", comparison="a", clip=0.1, config="c1")
    fake_run(tmp_path / "demo", init="random", comparison="b", clip=0.5, config="c2", name="b")
    fake_run(tmp_path / "demo", init="ours", comparison="b", clip=0.6)
    assert "60.0 %, and is 10.0 points above random" in say(tmp_path)


def test_what_the_tests_cannot_tell_apart_is_said_first(tmp_path):
    """Differences 0.25, -0.05, 0.10 (mean 0.10, deviation 0.15): t = 1.155, p = 0.368 with two degrees of freedom."""
    seeds(tmp_path / "demo", "random", s0=0.50, s1=0.60, s2=0.55)
    seeds(tmp_path / "demo", "ours", s0=0.75, s1=0.55, s2=0.65)
    assert say(tmp_path).startswith(
        "No row is shown to be best: Pretrained (ours) is not distinguished from random initialization (Holm's p "
        "= 0.368). Pretrained (ours) has the highest clip accuracy, 65.0 %, and is 10.0 points above random "
        "initialization ("
    )


def test_rows_at_chance_are_named(tmp_path):
    seeds(tmp_path / "demo", "random", s0=0.20, s1=0.30, s2=0.25)
    seeds(tmp_path / "demo", "autoencoder", s0=0.22, s1=0.24, s2=0.23)
    said = say(tmp_path)
    assert said.startswith("No row is shown to be above chance. No row is shown to be best: ")
    assert said.endswith(" Chance is 25.0 %.")
    seeds(tmp_path / "demo", "ours", s0=0.60, s1=0.62, s2=0.64)
    said = say(tmp_path)
    assert said.startswith("Pretrained (ours) has the highest")
    assert said.endswith(
        " Chance is 25.0 %; random initialization and pretrained (autoencoder) are not shown to be above it."
    )


def test_always_naming_the_most_frequent_class_is_no_success(tmp_path):
    """18 of 20 clips are of one class, and nothing but that class was ever named."""
    for seed in (0, 1):
        more = {"confusion": [[18, 0], [2, 0]], "classes": ["Archery", "Biking"]}
        fake_run(tmp_path / "demo", seed=seed, clip=0.9, more=more)
    assert say(tmp_path) == (
        "No row is shown to be above always naming the most frequent class. Random initialization has 90.0 % clip "
        "accuracy; there is no row to compare it with. Chance is 50.0 %, always naming the most frequent class gives "
        "90.0 %."
    )
    found = find([tmp_path])
    assert full_table(table1(found), found).rows[1:] == (
        ("Chance, 1 of 2 classes", "50.0", "", "", "", ""),
        ("Always the most frequent class", "90.0", "", "", "", ""),
    )
