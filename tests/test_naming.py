import pytest

from fbm.config import compose
from fbm.naming import LONGEST
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
        (("data=ucf24", "data.root=x/y", "data.store=z", "data.workers=4", "test=true"), "disentangle-random-seed0"),
        (("pretrained.ours=runs/a", "init.checkpoint=b", "logger=csv", "overwrite=true"), "disentangle-random-seed0"),
        (("engine=joblib", "init.name=mine"), "disentangle-mine-seed0"),
        (("task=disentangle_wide",), "disentangle_wide-random-seed0"),
        (("callbacks.progress=null", "hydra.verbose=true"), "disentangle-random-seed0"),
        (("resume=none", "callbacks.last.minutes=1"), "disentangle-random-seed0"),
        (("resume=outputs/demo/run",), "disentangle-random-seed0-resume=outputs_demo_run"),
        (("optim.lr=1e-3",), "disentangle-random-seed0-optim.lr=1e-3"),
        (("encoder=c3d", "data.label_fraction=0.1"), "disentangle-random-seed0-data.label_fraction=0.1,encoder=c3d"),
        (("~callbacks.gallery",), "disentangle-random-seed0-callbacks.gallery"),
        (("+trainer.profiler=a/b c",), "disentangle-random-seed0-trainer.profiler=a_b_c"),
        (("encoder.width=${data.size}",), "disentangle-random-seed0-encoder.width=_data.size_"),
        (("name=mine", "optim.lr=1"), "mine"),
    ],
)
def test_a_name_says_what_was_asked_for(named, overrides, name):
    assert named(*overrides) == name


def test_the_order_of_the_settings_is_none_of_its_business(named):
    assert named("optim.lr=1", "encoder.width=4") == named("encoder.width=4", "optim.lr=1")


def test_long_names_are_told_apart_by_a_hash(named):
    many = [f"callbacks.{node}.{key}=null" for node in ("checkpoint", "early_stopping") for key in ("monitor", "mode")]
    first, second = named(*many), named(*many, "optim.lr=1")
    assert first != second
    assert all(len(name) < LONGEST and name.startswith("disentangle-random-seed0-") for name in (first, second))


def test_outside_a_hydra_application_there_are_no_settings_to_name():
    assert compose(["optim.lr=1"]).name == "disentangle-random-seed0"
