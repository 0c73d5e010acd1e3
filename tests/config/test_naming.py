import re
import shlex

import pytest
from hydra.core.hydra_config import HydraConfig

from fbm.cli.launch import launch
from fbm.config.compose import compose
from fbm.config.naming import LONGEST
from tests.tiny import fbm


@pytest.fixture
def named(tmp_path, monkeypatch, capsys):
    """The run's name that the command line gives."""
    monkeypatch.chdir(tmp_path)

    def name(*overrides: str) -> str:
        assert fbm("train", "--cfg", "job", "--resolve", "-p", "name", *overrides) == 0
        printed: str = capsys.readouterr().out
        return printed.strip()

    return name


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ((), "disentangle-random-seed0"),
        (("task=classify", "init=ours", "seed=7"), "classify-ours-seed7"),
        (
            ("data=ucf24", "data.root=x/y", "data.store=z", "data.num_workers=4", "test=true"),
            "disentangle-random-seed0",
        ),
        (("pretrained.ours=runs/a", "init.checkpoint=b", "logger=csv", "overwrite=true"), "disentangle-random-seed0"),
        (("data=demo", "data.generate.groups=7"), "disentangle-random-seed0"),
        (("launcher=joblib", "init.name=mine"), "disentangle-mine-seed0"),
        (("task=disentangle_wide",), "disentangle_wide-random-seed0"),
        (("callbacks.progress=null", "hydra.verbose=true"), "disentangle-random-seed0"),
        (("resume=none", "callbacks.last.minutes=1"), "disentangle-random-seed0"),
        (("resume=outputs/demo/run",), "disentangle-random-seed0-resume-outputs_demo_run-HASH"),
        (("optim.lr=1e-3",), "disentangle-random-seed0-optim.lr-1e-3"),
        (("encoder=c3d", "data.label_fraction=0.1"), "disentangle-random-seed0-data.label_fraction-0.1+encoder-c3d"),
        (("~callbacks.gallery",), "disentangle-random-seed0-callbacks.gallery"),
        (("+trainer.profiler=a/b c",), "disentangle-random-seed0-trainer.profiler-a_b_c-HASH"),
        (("encoder.width=${data.size}",), "disentangle-random-seed0-encoder.width-data.size-HASH"),
        (("init.name='mein Anfänger'",), "disentangle-mein_Anf_nger-seed0-HASH"),
        (("name=mine", "optim.lr=1"), "mine"),
    ],
)
def test_a_name_says_what_was_asked_for(named, overrides, name):
    assert re.fullmatch(re.escape(name).replace("HASH", "[0-9a-f]{6}"), named(*overrides))


def test_the_order_of_the_settings_is_none_of_its_business(named):
    assert named("optim.lr=1", "encoder.width=4") == named("encoder.width=4", "optim.lr=1")


def test_long_names_are_told_apart_by_a_hash(named):
    many = [f"callbacks.{node}.{key}=null" for node in ("checkpoint", "early_stopping") for key in ("monitor", "mode")]
    first, second = named(*many), named(*many, "optim.lr=1")
    assert first != second
    assert all(len(name) < LONGEST and name.startswith("disentangle-random-seed0-") for name in (first, second))


@pytest.mark.parametrize(
    "overrides",
    [
        ("data.size=32", "encoder.width=4", "trainer=debug"),
        ("data.classes=[A,B]", "+trainer.profiler='a, b'"),
        ("init.name='日 本'", "resume=outputs/demo/run", "~callbacks.gallery"),
        tuple(
            f"callbacks.{node}.{key}=null" for node in ("checkpoint", "early_stopping") for key in ("mode", "monitor")
        ),
    ],
)
def test_a_name_needs_no_quotes_as_a_value(named, overrides):
    name = named(*overrides)
    assert named(f"name={name}") == name
    assert compose([f"init.checkpoint=outputs/demo/{name}"]).init.checkpoint == f"outputs/demo/{name}"
    assert shlex.quote(name) == name


def test_values_that_look_alike_without_their_signs_have_names_of_their_own(named):
    values = ("a/b", "a_b", "a b", "'a:b'", "'[a]b'", "ab", "'ä'", "'ö'")
    assert len({named(f"+trainer.profiler={value}") for value in values}) == len(values)


def test_a_run_that_an_earlier_fbm_named_keeps_its_folder(named, tmp_path):
    given = ("data.size=32", "encoder.width=4", "resume=outputs/demo/run")
    former = "disentangle-random-seed0-data.size=32,encoder.width=4,resume=outputs_demo_run"
    folder = tmp_path / "outputs" / "demo" / former
    folder.mkdir(parents=True)
    assert named(*given) == former
    made = named(*given, "study=other")
    assert "=" not in made
    assert "=" not in named(*given, "seed=1")
    (folder.parent / made).mkdir()
    assert named(*given) == made  # begun anew by now


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    """The names of a sweep's jobs."""
    monkeypatch.chdir(tmp_path)

    def names(*words: str) -> list[str]:
        seen: list[str] = []
        try:
            assert launch("train", lambda config: seen.append(config.name), list(words)) == 0
        finally:
            HydraConfig.instance().cfg = None
        return seen

    return names


@pytest.mark.parametrize(
    ("key", "values"),
    [
        *(("init.checkpoint", ("a", "b/c")), ("pretrained.ours", ("'ä'", "'ö'")), ("data.store", ("x", "y"))),
        *(
            ("experiment", ("demo/classify", "paper/classify")),
            ("data", ("demo", "ucf24")),
            ("masks", ("none", "boxes")),
        ),
        *(("logger", ("csv", "wandb")), ("data.num_workers", ("0", "1")), ("data.root", ("a", "b"))),
        *(("callbacks.last.minutes", ("1", "2")), ("overwrite", ("true", "false"))),
    ],
)
def test_what_is_swept_enters_the_name(jobs, key, values):
    names = jobs("-m", "study=x", f"{key}={','.join(values)}", "data.skip_broken=true")
    assert len(set(names)) == 2
    assert all(f"-{key}-" in name and "skip_broken" not in name for name in names)
    (single,) = jobs("-m", "study=x", f"{key}={values[0]}")
    assert (f"-{key}-" in single) == (key == "masks")  # which is always told


def test_seeds_and_initialisations_are_told_once(jobs):
    assert jobs("-m", "task=classify,disentangle", "seed=1", "init=random,ours") == [
        f"{task}-{init}-seed1" for task in ("classify", "disentangle") for init in ("random", "ours")
    ]


def test_a_sweep_of_a_config_file_enters_the_name(jobs, tmp_path):
    (tmp_path / "own" / "experiment").mkdir(parents=True)
    (tmp_path / "own" / "experiment" / "both.yaml").write_text(
        "# @package _global_\nhydra: { mode: MULTIRUN, sweeper: { params: { init.checkpoint: 'a,b' } } }\n"
    )
    names = jobs("--config-dir", "own", "experiment=both")
    assert names == [f"disentangle-random-seed0-init.checkpoint-{value}" for value in "ab"]


def test_outside_a_hydra_application_there_are_no_settings_to_name():
    assert compose(["optim.lr=1"]).name == "disentangle-random-seed0"
