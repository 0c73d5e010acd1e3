"""The whole command, as the command line calls it."""

import json
import subprocess
import sys

import pytest

from fbm.cli.report import main
from fbm.utils.errors import UserError
from tests.report.fake import declare, fake_run, fake_study, labelled


def test_everything_is_written(tmp_path, capsys):
    study = fake_study(tmp_path)
    assert main([str(study)]) == 0
    out = study / "report"
    names = [
        *("comparisons.csv", "comparisons.json", "comparisons.md", "comparisons.tex", "figure2.png", "figure3.png"),
        *("index.html", "runs.csv", "table1.csv", "table1.json", "table1.md", "table1.tex"),
    ]
    assert sorted(file.name for file in out.iterdir()) == names
    assert (out / "figure2.png").read_bytes() == (study / "disentangle-None-seed0/gallery/test.png").read_bytes()
    said = capsys.readouterr().out
    assert "52.0 ± 5.0" in said
    assert "Paired differences" in said
    assert "+11.0 ± 6.6" in said
    assert "classify-autoencoder-seed2, unfinished, 3 epochs" in said
    assert "missing seeds of Pretrained (autoencoder): 0, 2" in said
    assert all(str(out / name) in said for name in names)


def test_markdown(tmp_path):
    study = fake_study(tmp_path)
    main([str(study)])
    text = (study / "report" / "table1.md").read_text()
    row = (
        "Pretrained (autoencoder)",
        "56.0 ± –",
        "60.0 ± –",
        "+4.0 ± –",
        "1",
        "1",
        "0, 2",
        "2.0 (1 of 1)",
    )
    assert f"| {' | '.join(row)} |" in text
    assert "| Chance, 1 of 4 classes | 25.0 |  |  |  |  |  |  |\n" in text
    assert "Paper" not in text  # published for other data
    assert "test set of demo: 144 clips, 4 classes" in text
    assert "classify-autoencoder-seed2, unfinished, 3 epochs" in text


def test_json_is_full_and_the_same_twice(tmp_path):
    study = fake_study(tmp_path)
    main([str(study)])
    first = (study / "report" / "table1.json").read_text()
    main([str(study)])
    assert (study / "report" / "table1.json").read_text() == first
    content = json.loads(first)
    row = content["rows"][2]
    assert [run["test/clip_top1"] for run in row["runs"]] == [0.60, 0.66, 0.63]
    assert row["config_fingerprint"] == "classify-ours-same"
    assert len(content["unfinished"]) == 1
    compared = json.loads((study / "report" / "comparisons.json").read_text())
    assert compared["differences"][1]["pairs"] == 3
    assert compared["differences"][0]["t_p"] is None
    assert len(compared["assumptions"]) == 6
    assert compared["differences"][1]["seeds_for_5_points"] == 5


def test_out_and_stale_pictures(tmp_path, capsys):
    study, out = tmp_path / "demo", tmp_path / "elsewhere"
    run = fake_run(study, val=())
    out.mkdir()
    for stale in ("figure2.png", "comparisons.md", "scarcity.csv", "label-scarcity.png"):
        (out / stale).write_text("of an earlier report")
    assert main([str(run), "--out", str(out)]) == 0
    assert sorted(file.name for file in out.iterdir()) == [
        "index.html", "runs.csv", "table1.csv", "table1.json", "table1.md", "table1.tex",
    ]  # fmt: skip
    said = capsys.readouterr().out
    assert "figure2.png left out: no finished disentangle run" in said
    assert "figure3.png left out" in said


def test_label_scarcity(tmp_path, capsys):
    study = tmp_path / "demo"
    for fraction in (0.25, 1.0):
        for init in ("random", "ours"):
            for seed in (0, 1):
                labelled(study, init, fraction, seed, 0.4 + 0.1 * seed + 0.2 * fraction * len(init) / 6)
    assert main([str(study)]) == 0
    out = study / "report"
    assert (out / "label-scarcity.png").read_bytes().startswith(b"\x89PNG")
    assert "| Random initialization | 50.0 ± 63.5 (2) | 65.0 ± 63.5 (2) |" in (out / "scarcity.md").read_text()
    assert "100~\\% of labels" in (out / "scarcity.tex").read_text()
    assert len((out / "scarcity.csv").read_text().splitlines()) == 5
    said = capsys.readouterr().out
    assert "25 % of labels" in said
    assert "With 25 % of labels: No row is shown to be above chance. No row is shown to be best: Random" in said


def test_many_missing_runs_are_counted_on_the_terminal(tmp_path, capsys):
    study = tmp_path / "demo"
    fake_run(study)
    jobs = [{"folder": f"classify-random-seed{seed}", "values": {"seed": seed}} for seed in range(15)]
    main([str(declare(study, *jobs))])
    said = capsys.readouterr().out
    assert said.count("missing: ") == 10
    assert "and 4 more such lines, see table1.md" in said
    assert (study / "report" / "table1.md").read_text().count("missing: ") == 14


def test_out_is_a_file(tmp_path):
    run = fake_run(tmp_path / "demo")
    with pytest.raises(UserError, match="is a file"):
        main([str(run), "--out", str(run / "config.yaml")])


@pytest.mark.slow
def test_help_loads_nothing_heavy_and_the_report_no_trainer(tmp_path):
    study = fake_study(tmp_path)
    code = (
        "import sys; from fbm.cli.report import main, parser; parser().format_help()\n"
        "heavy = {'matplotlib', 'scipy', 'jinja2', 'yaml', 'pydantic', 'rich', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        f"main([{str(study)!r}])\n"
        "never = {'torch', 'lightning', 'pytorch_lightning', 'hydra', 'omegaconf'} & set(sys.modules)\n"
        "assert not never and 'matplotlib.pyplot' not in sys.modules, never\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=600, stdout=subprocess.DEVNULL)
