import csv
import io
import json
import math

from fbm.report import export
from fbm.report.comparisons import differences
from fbm.report.read.runs import find
from fbm.report.table1 import table1
from tests.report.fake import fake_run, fake_study


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_one_row_for_each_run(tmp_path):
    fake_study(tmp_path)
    start = {"folder": "outputs/a/b", "study": "a", "run": "b", "seed": 3, "fingerprint": "f"}
    fake_run(tmp_path / "demo", init='odd, "init"', more={"pretraining": start, "label_fraction": 0.25}, clip=1 / 3)
    found = find([tmp_path])
    rows = read(export.to_csv(export.runs(found.runs)))
    assert len(rows) == len(found.runs) == 11
    (odd,) = [row for row in rows if row["init"] == 'odd, "init"']
    assert float(odd["test/clip_top1"]) == 1 / 3
    assert odd["label_fraction"] == "0.25"
    assert odd["pretraining"] == "outputs/a/b"
    assert odd["epochs_to_90_train"] == "2"
    assert odd["data_fingerprint"] == "d1"
    assert {row["test/clip_top1"] for row in rows if row["task"] == "disentangle"} == {""}


def test_rows_and_differences(tmp_path):
    table = table1(find([fake_study(tmp_path)]))
    random, autoencoder, ours = read(export.to_csv(export.rows(table)))
    assert (ours["runs"], ours["seeds"], ours["missing_seeds"]) == ("3", "0 1 2", "")
    assert autoencoder["missing_seeds"] == "0 2"
    assert autoencoder["clip_half_width_95"] == random["clip_gain_mean"] == ""
    assert abs(float(ours["clip_mean"]) - 0.63) < 1e-12
    one = read(export.to_csv(export.differences(differences(table))))[1]
    assert (one["init_a"], one["init_b"], one["pairs"], one["sign_flip_p"]) == ("ours", "random", "3", "0.25")


def test_json_has_null_where_a_metric_is_no_number(tmp_path):
    fake_run(tmp_path / "demo", more={"metrics": {"test/clip_top1": 0.5, "test/loss": math.nan}})
    found = find([tmp_path])
    (row,) = json.loads(export.table1_json(table1(found), found))["rows"]
    assert (row["runs"][0]["test/clip_top1"], row["runs"][0]["test/loss"]) == (0.5, None)


def test_keys_that_some_lack():
    assert export.to_csv([{"a": 1}, {"a": 2, "b": None}]) == "a,b\n1,\n2,\n"
