"""`fbm report --wandb`, read back from W&B's offline files."""

import csv
import json

import pytest
import yaml

from fbm.cli.report import main
from fbm.report.read.files import run_folders
from tests.report.fake import fake_study
from tests.training.loggers.offline import OfflineRun, offline_runs

pytestmark = pytest.mark.slow  # W&B starts a process


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study that is reported twice; look, do not touch."""
    made = fake_study(tmp_path_factory.mktemp("study"))
    for run in run_folders(made):
        content = yaml.safe_load((run / "config.yaml").read_text())
        content["logger"] = {"wandb": {"project": "mine", "entity": None}}
        (run / "config.yaml").write_text(yaml.safe_dump(content))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("WANDB_PROJECT", raising=False)
        assert main([str(made), "--wandb"]) == 0
        assert main([str(made), "--wandb"]) == 0
    return made


@pytest.fixture(scope="module")
def logged(study) -> OfflineRun:
    runs = offline_runs(study / "report")
    assert len(runs) == 1  # the earlier one was moved aside: `wandb sync` would send both
    return runs[0]


def test_it_is_one_run_of_job_type_report_whose_id_follows_from_the_study(study, logged):
    run = logged.run
    assert (run.project, run.job_type, run.run_group, run.display_name) == (
        *("mine", "report", study.name),
        f"{study.name} report",
    )
    assert run.run_id == (study / "report" / "wandb_id").read_text().strip()
    (earlier,) = (study / "report" / "wandb" / "replaced").glob("*/run-*.wandb")
    assert OfflineRun(earlier).run.run_id == run.run_id
    assert run.run_id.startswith("report-")
    assert logged.exit_code == 0
    assert len(logged.config["runs"]) == len(list(csv.DictReader((study / "report" / "runs.csv").open())))


def test_tables_are_those_of_the_files(study, logged):
    for name, file in (("table1", "table1.csv"), ("comparisons", "comparisons.csv"), ("runs", "runs.csv")):
        table = logged.table(f"tables/{name}")
        with (study / "report" / file).open(newline="") as lines:
            rows = list(csv.reader(lines))
        assert table["columns"] == rows[0]
        assert [["" if cell is None else str(cell) for cell in row] for row in table["data"]] == rows[1:]


def test_intervals_and_tests_are_in_the_summary(study, logged):
    content = json.loads((study / "report" / "table1.json").read_text())
    for row in content["rows"]:
        found = logged.summary[f"clip_top1/{row['label']}"]
        assert found == {"mean": row["clip_mean"], "half_width_95": row["clip_half_width_95"]}
    (pair,) = (found for key, found in logged.summary.items() if key == OURS)
    assert 0 < pair["holm_p"] <= 1
    assert logged.summary["sentence"].startswith("No row is shown to be best: Pretrained (ours) is not disting")


OURS = "difference/Pretrained (ours) - Random initialization"


def test_figures_page_and_files_are_there(study, logged):
    names = {file.name for file in (study / "report").iterdir() if file.is_file()} - {"wandb_id"}
    (artifact,) = (one for one in logged.artifacts if one.type == "report")  # tables are artifacts, too
    assert {entry.path for entry in artifact.manifest.contents} == names
    keys = {key.removesuffix(".path") for key in logged.summary}
    assert {"figures/figure2", "figures/figure3", "page"} <= keys
    page = logged.folder / "files" / logged.summary["page.path"]
    assert page.read_text() == (study / "report" / "index.html").read_text()


def test_wandbs_folder_is_no_run(study):
    found = run_folders(study)
    (study / "report" / "wandb" / "config.yaml").touch()
    assert run_folders(study) == found
