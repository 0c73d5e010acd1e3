"""Tables of the protocols, from runs of which some are linear, probed, measured on versions, or from other data."""

import json

import pytest

from fbm.report.make import make
from fbm.report.read.runs import find
from fbm.report.results import results
from fbm.runs.bias import BiasReport, Version
from fbm.runs.probes import ProbeReport, Retrieval
from tests.report.fake import fake_run

LINEAR = {"task": {"encoder_gradient": 0}}
TUNED = {"task": {"encoder_gradient": 1.0}}


def retrieval(*recalls: float) -> list[Retrieval]:
    return [Retrieval(k, recall, recall / 2, 1.0, 60, 12) for k, recall in zip((1, 5), recalls, strict=True)]


def probed(run, first: float) -> None:
    report = ProbeReport(
        *("ours", "disentangle", "d1", "test", "bootstrap", []),
        retrieval=retrieval(first, 0.8),
        control_retrieval=retrieval(0.1, 0.5),
    )
    (run / "probes.json").write_text(report.to_json())


def biased(run, original: str, swapped: str) -> None:
    def version(name: str, outcomes: str) -> Version:
        share = outcomes.count("1") / len(outcomes)
        return Version(name, outcomes, share, share / 2, 1.0, share - original.count("1") / len(original), -0.5, 0.5)

    made = [version("original", original), version("swap_other", swapped)]
    report = BiasReport(run.name, "d1", "boxes", "bootstrap", 4, 5, ["original", "swap_other"], made)
    (run / "bias.json").write_text(report.to_json())


@pytest.fixture
def study(tmp_path):
    study = tmp_path / "demo"
    for seed in (0, 1):
        tuned = fake_run(study, init="ours", seed=seed, clip=0.6 + 0.02 * seed, extra=TUNED, config="tuned")
        biased(tuned, "1100" if seed else "1110", "1000")
    ends = {"intervals": {"test/clip_top1": [0.25, 0.35], "test/video_top1": [0.3, 0.4]}}
    fake_run(study, init="ours", clip=0.3, extra=LINEAR, name="linear", config="l", comparison="l", more=ends)
    probed(fake_run(study, task="disentangle", init=None, clip=None), 0.4)
    return study


def test_a_table_for_each_protocol(study):
    found = results(find([study]))
    tables = {table.title: table for table in found.protocols}
    assert list(tables) == ["Fine-tuned", "Linear", "Retrieval", "Is it the background?"]
    tuned, linear, retrieved, bias = tables.values()
    assert tuned.rows == (("Pretrained (ours) (fine-tuned)", "61.0 ± 12.7", "65.0 ± 12.7", "2"),)
    assert linear.rows == (("Pretrained (ours) (linear)", "30.0 (25.0 to 35.0)", "34.0 (30.0 to 40.0)", "1"),)
    assert retrieved.head == ("Pretraining", "R@1, %", "R@5, %", "Runs")
    assert retrieved.rows[0] == ("disentangle", "40.0 (20.0 to 100.0)", "80.0 (40.0 to 100.0)", "1")
    assert retrieved.rows[1][0] == "disentangle, untrained"
    assert bias.rows[:2] == (
        ("Pretrained (ours) (fine-tuned)", "", "", ""),
        ("original", "62.5 ± 158.8", "", "2"),
    )
    assert bias.rows[2][1:] == ("25.0 ± 0.0", "-37.5 ± 158.8", "2")
    assert "4 of 5" in bias.caption
    assert any("boxes" in remark for remark in bias.remarks)


def test_they_are_written_and_on_the_page(study):
    made = make([study], study / "report", "fbm report")
    text = (study / "report" / "protocols.md").read_text()
    assert text.count("\n# ") == 3
    assert "published" not in text
    page = (study / "report" / "index.html").read_text()
    assert "Is it the background?" in page
    assert 'href="#protocols"' in page
    assert study / "report" / "protocols.tex" in made.files


def test_one_protocol_is_in_table_1_alone(tmp_path):
    fake_run(tmp_path / "demo", extra=TUNED)
    assert results(find([tmp_path / "demo"])).protocols == ()


def test_a_single_run_has_its_interval_over_groups_in_table_1_and_in_the_list_of_runs(study):
    make([study], study / "report", "fbm report")
    assert "| Pretrained (ours) (linear) | 30.0 (25.0 to 35.0) |" in (study / "report" / "table1.md").read_text()
    head, *lines = (study / "report" / "runs.csv").read_text().splitlines()
    run = next(line.split(",") for line in lines if "/linear," in line)
    cells = dict(zip(head.split(","), run, strict=True))
    assert (cells["test/clip_top1_low_95"], cells["test/clip_top1_high_95"]) == ("0.25", "0.35")


def test_published_rows_stand_beside_all_classes_of_ucf101_and_nowhere_else(tmp_path):
    all_classes = [f"class{number}" for number in range(101)]
    for name, classes in (("all", all_classes), ("some", all_classes[:100])):
        study = tmp_path / name
        fake_run(study, extra=TUNED, more={"data": "ucf101", "classes": classes})
        probed(fake_run(study, task="disentangle", init=None, clip=None, more={"data": "ucf101"}), 0.4)
        tables = results(find([study])).protocols
        assert [table.title for table in tables] == ["Fine-tuned", "Retrieval"]
        rows = {row[0]: row for table in tables for row in table.rows}
        assert ("VCOP (2019), C3D" in rows) == (name == "all")
        if name == "all":
            assert rows["Random initialization"][-1] == "measured here"
            first = next(row for row in tables[0].rows if row[0] == "VCOP (2019), C3D")
            assert first == ("VCOP (2019), C3D", "–", "65.6", "–", "published, not measured here: BestJuly/IIC")
            recall = next(
                row for row in tables[1].rows if row[0] == "VCP with PCL, residual frames by default (2021), R3D-18"
            )
            assert recall[1:3] == ("55.1", "–")


def test_an_encoder_from_other_data_is_named(tmp_path):
    study = tmp_path / "demo"
    start = {"folder": "x", "study": "k", "run": "ours", "seed": 0, "fingerprint": "f"}
    fake_run(study, init="ours", more={"pretraining": {**start, "data": "kinetics"}}, config="a")
    fake_run(study, init="ours", seed=1, more={"pretraining": {**start, "data": "demo"}}, config="b")
    labels = [row.label for row in results(find([study])).table1.rows]
    assert any(label.startswith("Pretrained (ours) on kinetics") for label in labels)
    assert any(not label.startswith("Pretrained (ours) on") for label in labels)


def test_retrieval_of_other_data_is_named_and_stands_beside_no_published_rows(tmp_path):
    study = tmp_path / "all"
    classes = [f"class{number}" for number in range(101)]
    fake_run(study, extra=TUNED, more={"data": "ucf101", "classes": classes})
    probed(fake_run(study, task="disentangle", init=None, clip=None), 0.4)
    retrieved = results(find([study])).protocols[1]
    assert [row[0] for row in retrieved.rows] == ["disentangle on demo", "disentangle on demo, untrained"]


def test_damaged_measurements_are_one_line(study):
    content = json.loads((study / "classify-ours-seed0" / "bias.json").read_text())
    content["versions"][0]["outcomes"] = "12"
    (study / "classify-ours-seed0" / "bias.json").write_text(json.dumps(content))
    with pytest.raises(Exception, match=r"damaged bias.*outcomes"):
        results(find([study]))
