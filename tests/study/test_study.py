"""`fbm study` from declaration to finished runs, with each launcher."""

import json
import os
import signal
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from fbm.data.store.manifest import MANIFEST, read_manifest
from fbm.study.declared import read
from fbm.study.plan import plan
from fbm.utils.files import exclusive_lock
from tests import processes
from tests.conftest import REPOSITORY
from tests.study.conftest import declare, summaries
from tests.tiny import fbm, only_error
from tests.training.interrupted import Killed, Moment, end_at

COMMAND = [processes.FBM]
NAMES = {"disentangle-random-seed0", "autoencode-random-seed0"}
NAMES |= {f"classify-{init}-seed{seed}" for init in ("random", "autoencoder", "ours") for seed in (0, 1)}


def run(*more: str) -> int:
    return fbm("study", ".", *more)


@pytest.mark.slow
def test_a_study_runs_what_is_missing_and_no_more(study, capsys):
    assert run("classify.over.seed=[0]") == 0
    out = capsys.readouterr().out
    assert "tiny: 5 runs (2 pretrain, 3 classify), 0 finished, 5 to run" in out
    first = summaries()
    assert set(first) == {name for name in NAMES if not name.endswith("seed1")}
    assert {name: summary["init"] for name, summary in first.items() if summary["task"] == "classify"} == {
        f"classify-{init}-seed0": init for init in ("random", "autoencoder", "ours")
    }
    assert first["classify-ours-seed0"]["loaded"]["missing"] == 0
    assert run() == 0
    assert "tiny: 8 runs (2 pretrain, 6 classify), 5 finished, 3 to run" in capsys.readouterr().out
    second = summaries()
    assert set(second) == NAMES
    assert {name: second[name]["started"] for name in first} == {name: first[name]["started"] for name in first}
    declared = json.loads(Path("outputs/tiny/study.json").read_text())
    assert {row["folder"] for row in declared["jobs"]} == NAMES
    assert {row["stage"] for row in declared["jobs"]} == {"pretrain", "classify"}
    assert run() == 0
    assert "8 finished, 0 to run" in capsys.readouterr().out
    assert run("study=more", "trainer.max_epochs=3", "--dry-run") == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("more: about ")


@pytest.mark.slow
def test_a_launcher_of_hydras_runs_a_study(study, capfd):
    pytest.importorskip("submitit")
    declare(study, launcher="submitit_local", pretrain={"inits": {"ours": ["task=disentangle"]}})
    assert run("classify.over.init=[ours]", "classify.over.seed=[0]") == 0, capfd.readouterr()
    assert set(summaries()) == {"disentangle-random-seed0", "classify-ours-seed0"}


@pytest.mark.slow
def test_a_failing_run_stops_only_what_needs_it(study, capsys):
    declare(
        study,
        pretrain={"inits": {"ours": ["task=disentangle", "task.kernels=0"], "autoencoder": ["task=autoencode"]}},
    )
    assert run("classify.over.seed=[0]") == 1
    captured = capsys.readouterr()
    failed = [line for line in captured.out.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 2
    assert "kernels=0" in failed[0]
    assert failed[1].startswith("failed: outputs/tiny/classify-ours-seed0: not run: it needs outputs/tiny/disentangle-")
    assert only_error(captured.err.splitlines()[-1]) == "tiny: 2 of 5 runs failed, named above; the others are done"
    assert set(summaries()) == {"autoencode-random-seed0", "classify-random-seed0", "classify-autoencoder-seed0"}


@pytest.mark.slow
def test_a_run_that_broke_off_goes_on_where_it_was_saved(study, monkeypatch):
    settings = ["task=classify", "trainer.max_epochs=2", "callbacks.last.minutes=null"]  # saved at every epoch's start
    declare(study, pretrain={"inits": {}}, classify={"settings": settings, "over": {"seed": [0]}})
    end_at(monkeypatch, Moment("on_train_batch_end", 1, 0))
    with pytest.raises(Killed):
        run()
    assert summaries() == {}
    assert run() == 0
    ((name, told),) = summaries().items()
    assert (told["resumed"], told["epochs"]) == (1, 2)
    assert not (Path("outputs/tiny") / name / "earlier-1").exists()


@pytest.mark.slow
def test_killed_and_started_again_it_repeats_no_finished_run_and_ends_in_probes_swap_grids_and_a_report(study, capsys):
    first = processes.Popen(
        [*COMMAND, "study", "."], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 600
    while len(summaries()) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    before = summaries()
    assert 3 <= len(before) < 8
    assert run("analyse=true", "bias=true", "report=true") == 0
    after = summaries()
    assert set(after) == NAMES
    assert all(after[name] == before[name] for name in before)
    out = capsys.readouterr().out
    assert f"{len(before)} finished, {8 - len(before)} to run" in out
    assert "Table 1" in out
    pretrained = Path("outputs/tiny/disentangle-random-seed0")
    assert {row["factor"] for row in json.loads((pretrained / "probes.json").read_text())["probes"]} == {"class"}
    assert (pretrained / "gallery" / "swap-motion.png").is_file()
    assert {path.parent.name for path in Path("outputs/tiny").glob("*/bias.json")} == {
        n for n in NAMES if "classify" in n
    }
    report = Path("outputs/tiny/report")
    assert {"index.html", "table1.md", "table1.json", "comparisons.md"} <= {path.name for path in report.iterdir()}
    rows = json.loads((report / "table1.json").read_text())["rows"]
    assert [(row["init"], row["seeds"]) for row in rows] == [(i, [0, 1]) for i in ("random", "autoencoder", "ours")]


POISON = """
import os, signal
from pathlib import Path
import pytorch_lightning as pl

class Poison(pl.Callback):
    def __init__(self, deadly: bool) -> None:
        self.deadly = deadly

    def on_train_start(self, trainer, pl_module):
        if self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_a_process_that_dies_takes_no_other_run_with_it(study):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    (study / "poison.py").write_text(POISON)
    (study / "callbacks").mkdir()
    option = "defaults: [default, _self_]\npoison: { _target_: poison.Poison, deadly: '${deadly}' }\n"
    (study / "callbacks" / "poison.yaml").write_text(option)
    over = {"+deadly": [True, False]}
    classify = {"settings": ["task=classify", "callbacks=poison"], "over": over}
    declare(study, launcher="joblib", pretrain={"inits": {}}, classify=classify)
    # A process of its own, which finds the module.
    environment = {**os.environ, "PYTHONPATH": str(study)}
    done = processes.run([*COMMAND, "study", "."], capture_output=True, text=True, env=environment)
    assert done.returncode == 1, done.stderr
    out = done.stdout
    failed = [line for line in out.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 1, out
    assert "deadly-true" in failed[0]
    assert ": its process died (" in failed[0]
    assert "one at a time: " in out
    assert len(summaries()) == 1
    assert "deadly-false" in next(iter(summaries()))


@pytest.mark.slow
def test_a_run_from_weights_that_were_made_anew_is_not_finished_any_more(study, capsys):
    option = study / "optim" / "mine.yaml"
    option.parent.mkdir()
    option.write_text("defaults: [adam, _self_]\nweight_decay: 0.1\n")
    declare(study, pretrain={"settings": ["optim=mine"], "inits": {"ours": ["task=disentangle"]}})
    only = ["classify.over.init=[ours]", "classify.over.seed=[0]"]
    assert run(*only) == 0
    option.write_text("defaults: [adam, _self_]\nweight_decay: 0.2\n")
    assert run(*only) == 1
    assert "holds a finished run with other settings" in capsys.readouterr().out
    before = summaries()["classify-ours-seed0"]
    pretraining = ["task=disentangle", "study=tiny", "optim=mine", "experiment=small", "callbacks.progress=null"]
    assert fbm("train", "--config-dir", ".", *pretraining, "overwrite=true") == 0
    assert run(*only) == 1  # the classification is there, but from the earlier weights
    assert "started from earlier weights than outputs/tiny/disentangle-" in capsys.readouterr().out
    assert run(*only, "overwrite=true") == 0
    after = summaries()
    made = after["disentangle-random-seed0-optim-mine"]["fingerprints"]["config"]
    assert after["classify-ours-seed0"]["pretraining"]["fingerprint"] == made != before["pretraining"]["fingerprint"]


@pytest.mark.slow
def test_a_users_own_initialisation_is_taken(study):
    option = study / "init" / "mine.yaml"
    option.parent.mkdir()
    option.write_text("name: mine\ntask: disentangle\ncheckpoint: null\n")
    inits = {"mine": ["task=disentangle"], "another": ["task=disentangle", "task.kernels=2"]}
    declare(study, pretrain={"inits": inits})
    assert run("classify.over.init=[mine,another]", "classify.over.seed=[0]") == 0
    made = summaries()
    assert made["classify-mine-seed0"]["pretraining"]["run"] == "disentangle-random-seed0"
    assert made["classify-another-seed0"]["pretraining"]["run"] == "disentangle-random-seed0-task.kernels-2"


@pytest.mark.slow
def test_what_another_process_is_at_is_waited_for(study, capsys):
    let_go, taken = threading.Event(), threading.Event()

    def other():
        with exclusive_lock(Path("outputs/tiny/disentangle-random-seed0"), "the run folder"):
            taken.set()
            let_go.wait(600)

    holder = threading.Thread(target=other)
    holder.start()
    taken.wait()
    threading.Timer(2, let_go.set).start()
    assert run("classify.over.init=[ours]", "classify.over.seed=[0]") == 0
    assert let_go.is_set()
    holder.join()
    assert {"disentangle-random-seed0", "classify-ours-seed0"} <= set(summaries())


def test_a_dry_run_runs_nothing(study, capsys):
    assert run("--dry-run") == 0
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 10
    assert out[-2] == "tiny: 8 runs, 0 finished"
    tells = "fbm study . study=tiny_trial trainer.max_epochs=1 classify.over.seed=[0]"
    assert out[-1] == f"tiny: the time is unknown; estimate it by one epoch of each kind: {tells}"
    assert "to run    outputs/tiny/classify-ours-seed1  (needs outputs/tiny/disentangle-random-seed0)" in out
    assert not Path("outputs").exists()


def test_a_debug_study_is_as_short_as_a_debug_run(study):
    settings = ["experiment=small", "trainer.max_epochs=7"]
    classify = {"settings": ["task=classify", "trainer.limit_train_batches=9"], "over": {"init": ["random", "ours"]}}
    pretrain = {"settings": ["trainer.check_val_every_n_epoch=4"], "inits": {"ours": ["trainer.limit_val_batches=8"]}}
    declare(study, settings=settings, pretrain=pretrain, classify=classify)
    declared, own = read(".", [])
    for more, epochs in ((["trainer=debug"], 1), (["trainer=debug", "trainer.max_epochs=2"], 2)):
        for job in plan(declared, more, own):
            trainer = job.content["trainer"]
            limits = {trainer[f"limit_{split}_batches"] for split in ("train", "val", "test")}
            assert (trainer["max_epochs"], limits, trainer["check_val_every_n_epoch"]) == (epochs, {2}, 1)
    assert all(job.content["trainer"]["max_epochs"] == 7 for job in plan(declared, [], own))


@pytest.mark.parametrize(
    ("over", "pretrained"),
    [
        ("init=[random,ours]", {"disentangle-random-seed0", "disentangle-random-seed1"}),
        ("init=[random]", set()),
        ("seed=[1]", {"disentangle-random-seed1", "autoencode-random-seed1"}),
    ],
)
def test_a_pretraining_from_which_no_classification_starts_is_not_run(study, over, pretrained, capsys):
    assert run("--dry-run", "pretrain.over.seed=[0,1]", f"classify.over.{over}") == 0
    captured = capsys.readouterr()
    planned = {line.split()[2].rpartition("/")[2] for line in captured.out.splitlines() if line.startswith("to run")}
    assert {name for name in planned if not name.startswith("classify-")} == pretrained
    assert captured.err.splitlines()[0] == f"tiny: composing and checking {len(planned)} runs"
    tasks = {"autoencoder": "autoencode", "ours": "disentangle"}
    unused = [init for init, task in tasks.items() if task not in str(pretrained)]
    said = f"tiny: not pretrained, as no classification starts from it: {', '.join(unused)}"
    assert (said in captured.out.splitlines()) == bool(unused)


@pytest.mark.parametrize("name", ["demo", str(REPOSITORY / "experiments" / "table1")])
def test_a_study_of_another_name_has_its_pretraining_with_it(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    few = ["classify.over.seed=[0]", *(["pretrain.over.seed=[0]"] if name != "demo" else []), "--dry-run"]
    assert fbm("study", name, "study=mine", *few) == 0
    captured = capsys.readouterr()
    assert "outputs/demo" not in captured.out
    assert "needs outputs/mine/disentangle_mask-random-seed0" in captured.out
    count = 3 if name == "demo" else 7  # table1 has the autoencoder and ours without predicted masks, too
    assert captured.err.splitlines() == [f"mine: composing and checking {count} runs"]
    assert fbm("study", name, "study=mine", "pretrain.study=demo", *few) == 0
    assert "needs outputs/demo/disentangle_mask-random-seed0" in capsys.readouterr().out


def test_what_a_study_varies_enters_the_names(study):
    over = {"init": ["ours"], "data.store": [str(study / "store"), str(study / "other")]}
    declare(study, classify={"settings": ["task=classify"], "over": over})
    declared, own = read(".", [])
    folders = [job.folder.name for job in plan(declared, [], own) if job.stage == "classify"]
    assert len(set(folders)) == 2
    assert all(name.startswith("classify-ours-seed0-") for name in folders)


def test_the_papers_study_has_a_pretraining_for_each_seed(tmp_path, monkeypatch, capsys):
    """So the intervals of its Table 1 are over pretraining too."""
    monkeypatch.chdir(tmp_path)
    assert fbm("study", "paper", "--dry-run") == 0
    out = capsys.readouterr().out.splitlines()
    assert out[-2] == "paper: 25 runs, 0 finished"
    seeds = "pretrain.over.seed=[0] classify.over.seed=[0]"
    assert out[-1].endswith(f": fbm study paper study=paper_trial trainer.max_epochs=1 {seeds}")
    for init, task in (("ours", "disentangle"), ("autoencoder", "autoencode")):
        for seed in range(5):
            needs = f"(needs outputs/paper/{task}-random-seed{seed})"
            assert f"to run    outputs/paper/classify-{init}-seed{seed}  {needs}" in out


@pytest.mark.parametrize("plus", ["", "+"])
def test_keys_that_a_study_lacks_are_added_with_or_without_a_plus(study, plus):
    words = [
        "pretrain.over.seed=[0,1]",
        "classify.over.optim.lr=[1e-3,2e-3]",
        'pretrain.inits.wide=["task=autoencode"]',
    ]
    declared, own = read(".", [f"{plus}{word}" for word in words])
    assert {job.content["optim"]["lr"] for job in plan(declared, [], own) if job.stage == "classify"} == {1e-3, 2e-3}
    assert declared.pretrain.over == {"seed": [0, 1]}
    assert list(declared.pretrain.inits)[-1] == "wide"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([".", "clasify.over.seed=[0]"], "no such setting 'clasify.over.seed'; did you mean 'classify'?"),
        ([".", "trainer.max_epocs=1"], "no such setting 'trainer.max_epocs'; did you mean 'trainer.max_epochs'?"),
        ([".", "classify.over.sed=[0]"], "no such setting 'sed'; did you mean 'seed'?"),
        ([".", "pretrain.inits.ours=[task=disentangle]"], "'pretrain.inits.ours=[\"task=disentangle\"]'"),
        ([".", "classify.ovr.seed=[0]"], "no such setting 'classify.ovr.seed'; did you mean 'classify.over.seed'?"),
        ([".", "quick"], "'quick' is not a setting: KEY=VALUE"),
        (["dmo"], "no study 'dmo'; did you mean 'demo'?"),
        (["store"], "store declares no sweep: a file FOLDER/sweep/NAME.yaml is expected"),
        ([".", "pretrain.over.optim.lr=[1e-3]"], "pretrain.over.optim.lr must be in classify.over too"),
        ([".", "pretrain.over.init=[random]"], "pretrain.over varies init: initialisations are in pretrain.inits"),
        (
            [".", "~classify.over.init", 'classify.settings=["task=classify","init=ours"]'],
            "init among the settings of all runs: name initialisations in classify.over.init=[...]",
        ),
        (
            [".", 'pretrain.inits.random=["task=disentangle"]'],
            "pretrain.inits.random trains task=disentangle, but init=",
        ),
        ([".", 'pretrain.inits.autoencoder=["task=disentangle"]'], "but init=autoencoder is of task=autoencode"),
        ([".", "~pretrain.inits.ours"], "init=ours has nothing to start from: pretrain.inits.ours=[...]"),
        (
            [".", 'pretrain.settings=["encoder.width=8"]'],
            "is pretrained with encoder.width=8, its classification has 4",
        ),
        ([".", "classify.over.seed=[a]"], "seed='a': it should be a valid integer"),
        ([".", "seed=3"], "classify.over varies seed, so it is not for all runs: classify.over.seed=[...]"),
        ([".", "init=random"], "classify.over varies init, so it is not for all runs"),
        ([".", "classify.over.seed=0,1"], "a study takes lists, classify.over.seed=[0,1]"),
        ([".", "optim.lr=1,2"], "a study takes lists, optim.lr=[1,2]; to vary KEY, classify.over.KEY=[A,B]"),
        ([".", "classify.over.seed=[]"], "over.seed has no value"),
        ([".", "+classify.over.masks=[null]"], "Config group override must be a string or a list"),
        ([".", "task.kernels=3"], "no such setting 'task.kernels'"),
        ([".", "launcher=optuna"], "no such option 'launcher/optuna'"),
        ([".", "sweeper=optuna"], "a study launches the runs that it declares, and searches for none"),
        ([], "which study? There is demo, paper"),
        (["seed=3"], "which study? There is demo, paper"),
        ([".", "pretrain.over.seed=[0]"], "classify.over has seed=1, which pretrain.over has not"),
        ([".", "classify.over.init=[randm]"], "no such option 'init/randm'; did you mean 'random'?"),
        ([".", "launcher=joblb"], "no such option 'launcher/joblb'; did you mean 'joblib'?"),
        ([".", "name=same"], "give one of them a name of its own"),
        ([".", "analyse=perhaps"], "analyse='perhaps': input should be a valid boolean"),
    ],
)
def test_bad_input_is_one_line(study, arguments, said, capsys):
    assert fbm("study", *arguments) == 1
    assert said in only_error(capsys.readouterr().err.splitlines()[-1])
    assert not list(Path().glob("outputs/*/*"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["data.store=nowhere"], "autoencode-random-seed0 cannot be run: no store at nowhere"),
        (['classify.settings=["task=classify","data.store=nowhere"]'], "classify-random-seed0 cannot be run: no store"),
        (["masks=unsupervised"], "this run asks for masks=unsupervised: run `fbm prepare` with it"),
    ],
)
def test_a_store_that_a_run_cannot_use_is_found_before_the_first_run(study, arguments, said, capsys):
    assert run(*arguments) == 1
    assert said in only_error(capsys.readouterr().err.splitlines()[-1])
    assert not Path("outputs").exists()


def test_a_store_with_broken_videos_is_found_before_the_first_run(study, capsys):
    manifest = read_manifest(Path("store"))
    manifest.videos[0] = replace(manifest.videos[0], status="timeout", reason="not prepared within 1 s")
    Path("store", MANIFEST).write_text(manifest.to_json())
    assert run() == 1
    error = only_error(capsys.readouterr().err.splitlines()[-1])
    assert "cannot be run: 1 of " in error
    assert "data.skip_broken=true" in error
    assert not Path("outputs").exists()


def test_an_unknown_key_in_a_study_is_named(study, capsys):
    declare(study, classify={"settings": [], "ower": {"seed": [0]}, "over": {}})
    assert run() == 1
    assert only_error(capsys.readouterr().err) == ("the study tiny: unknown key classify.ower; did you mean 'over'?")
