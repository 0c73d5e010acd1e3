"""Hydra's words as people type them: what is quoted, expanded, or refused in one line."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from fbm.config.overrides import expand_home, expand_home_word, explain_list, explain_override, swept, text
from tests.tiny import fbm, only_error

ODD = (
    "ä",
    "日",
    "a#b",
    "it's",
    "a=b",
    "[a]",
    "a(1)",
    "a,b",
    'say "a"',
    "a{b}",
    "a!b",
    "a;b",
    "a b",
    "`a`",
    "a\\'b",
    "^",
    "<",
)


def value_of(word: str) -> Any:
    return OverridesParser.create().parse_override(word).value()


@pytest.mark.parametrize(
    "value", [*ODD, *(f"runs/{odd}/run" for odd in ODD), "null", "1e3", "", "[a", "a\\b", "$x", "~"]
)
def test_a_value_comes_out_as_it_went_in(value):
    assert value_of(f"init.checkpoint={text(value)}") == value


@pytest.mark.parametrize("value", [f"runs/{odd}/run" for odd in (*ODD, "~") if odd not in ("a b", "a,b")])
def test_a_path_that_needs_quotes_is_refused_with_the_quoted_form(value):
    said = explain_override(f"init.checkpoint={value}", sweeps=False)
    assert said.startswith(f"init.checkpoint={value}: a value with such characters takes quotes")
    (word,) = shlex.split(said.split("within the shell's: ")[1])  # as a shell hands it on
    assert value_of(word) == value


def test_a_sweep_quotes_each_of_its_values(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert explain_override("init.checkpoint=ä,b", sweeps=True).endswith("'init.checkpoint=\"ä\",b'")
    assert explain_override("init.checkpoint=ä,b", sweeps=False).endswith("'init.checkpoint=\"ä,b\"'")
    Path("ä,b").mkdir()  # whole, a folder's name
    assert explain_override("init.checkpoint=ä,b", sweeps=True).endswith("'init.checkpoint=\"ä,b\"'")
    assert explain_override("data.folders=[ä,b c,films(1)]", sweeps=False).endswith(
        '\'data.folders=["ä",b c,"films(1)"]\''
    )


def test_a_folder_of_an_earlier_fbm_is_refused_with_its_quoted_form(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    former = "outputs/demo/disentangle-random-seed0-data.size=32,encoder.width=4"
    assert fbm("train", "task=classify", "init=ours", f"init.checkpoint={former}") == 1
    assert only_error(capsys.readouterr().err).endswith(f"'init.checkpoint=\"{former}\"'")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("seed=0,1,2,", "seed=0,1,2,: a value is missing beside a comma: seed=0,1,2"),
        ("seed=,1", "a value is missing beside a comma: seed=1"),
        ("seed=0,,1", "a value is missing beside a comma: seed=0,1"),
        ("1", "'1' is not a setting: KEY=VALUE is expected; several values are KEY=A,B with -m"),
        ("seed", "'seed' is not a setting: KEY=VALUE"),
        ("seed=[1", "seed=[1: its brackets do not match"),
        ("optim={lr:1", "optim={lr:1: its brackets do not match"),
        ("1seed=3", "'1seed=3': '1seed' is not a valid key"),
        ("my key=3", "'my key' is not a valid key"),
        ("optim.lr=interval(1", "takes quotes"),
    ],
)
def test_what_is_no_setting_is_told_without_a_parsers_words(word, said):
    for sweeps in (False, True):
        assert said in explain_override(word, sweeps)


@pytest.mark.parametrize("words", [("seed=0", "1", "2"), ("-m", "seed=0,1,"), ("init.checkpoint=runs/日/a",)])
def test_a_command_line_that_hydra_cannot_parse_is_one_line(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for command in ("train", "prepare"):
        assert fbm(command, *words) == 1
        told = only_error(capsys.readouterr().err)
        assert not re.search(r"Lexer|mismatched|viable|EOF|hydra\.cc", told)


def test_several_values_without_a_sweep():
    assert explain_list("seed=0,1") == (
        "seed=0,1: several values are a sweep, which is -m; seed=[0,1] is a list, and one value with a comma in it "
        "takes quotes: 'seed=\"0,1\"'"
    )


@pytest.mark.parametrize(
    ("word", "expanded"),
    [
        ("data.root=~/UCF", "data.root=/home/me/UCF"),
        ("data.root=~", "data.root=/home/me"),
        ("+x=~/a", "+x=/home/me/a"),
        ("data.folders=[~/a,~/b]", "data.folders=[/home/me/a,/home/me/b]"),
        ("init.checkpoint=~/a,b/~/c", "init.checkpoint=/home/me/a,b/~/c"),
        ("init.checkpoint=~/a (1)", 'init.checkpoint="/home/me/a (1)"'),
        ("init.checkpoint=~/日,~/b", 'init.checkpoint="/home/me/日",/home/me/b'),
        ('init.checkpoint="~/a (1)"', 'init.checkpoint="/home/me/a (1)"'),
        ("--out=~/a b", "--out=/home/me/a b"),
        ("~callbacks.gallery", "~callbacks.gallery"),
        ("name=a~b", "name=a~b"),
        ("data.root=~someone/x", "data.root=~someone/x"),
        ("films~", "films~"),
    ],
)
def test_home_is_expanded_where_a_path_begins(word, expanded, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert expand_home_word(word) == expanded


def test_home_in_a_config_file(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    config = OmegaConf.create({"a": "~/x/${b}", "b": "c", "d": {"e": ["~/f", "g~"]}, "h": "${a}", "i": None})
    expand_home(config)
    assert OmegaConf.to_container(config, resolve=True) == {
        **{"a": "/home/me/x/c", "b": "c", "d": {"e": ["/home/me/f", "g~"]}, "h": "/home/me/x/c", "i": None}
    }


def test_a_store_at_home_is_found(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "my home"))
    for word in ("data.store=~/s", 'data.store="~/s"'):
        assert fbm("train", word) == 1
        assert f"no store at {tmp_path}/my home/s" in only_error(capsys.readouterr().err)


def test_the_swept_keys():
    words = [
        "-m",
        "seed=0,1",
        "data.root=[a,b]",
        "optim.lr=interval(1,2)",
        "init=choice(a,b)",
        "x='a,b'",
        "ä=1,2",
        "a=ä,b",
    ]
    assert swept(words) == {"seed", "optim.lr", "init"}


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("hydra.run.dir=x", "run_dir=PATH, or outputs/STUDY/NAME by study=STUDY and name=NAME"),
        ("hydra.sweep.dir=x", "the runs of study=NAME are in outputs/NAME"),
        ("hydra.sweep.subdir=${hydra.job.num}", "under its name, which holds what is swept"),
        ("++hydra.run.dir=x", "run_dir=PATH"),
        ("hydra.job.chdir=true", "fbm stays in the folder it is started in"),
        ("hydra.job.chdir=True", "fbm stays in the folder it is started in"),
    ],
)
@pytest.mark.parametrize("command", [("train",), ("train", "-m", "seed=0,1"), ("prepare",), ("study", "demo")])
def test_folders_that_hydra_would_choose_are_refused_before_any_is_made(
    command, word, said, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert fbm(*command, word) == 1
    told = only_error(capsys.readouterr().err)
    assert told.startswith(word)
    assert said in told
    assert list(tmp_path.iterdir()) == []


def test_hydras_own_default_is_no_fault(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert fbm("train", "hydra.job.chdir=false", "--cfg", "job") == 0


def test_a_config_files_choice_of_them_is_refused(tmp_path, monkeypatch, capsys):
    (tmp_path / "own" / "experiment").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for content, said in (("job: { chdir: true }", "hydra.job.chdir=true"), ("run: { dir: x }", "hydra.run.dir=x")):
        (tmp_path / "own" / "experiment" / "mine.yaml").write_text(f"# @package _global_\nhydra: {{ {content} }}\n")
        assert fbm("train", "--config-dir", "own", "experiment=mine") == 1
        assert said in only_error(capsys.readouterr().err)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "-m", "engine=joblib", "seed=0,1"], "engine=joblib: it is called launcher=joblib now"),
        (["train", "-m", "engine=optuna"], "engine=optuna: it is called sweeper=optuna now"),
        (["study", "demo", "data.workers=2"], "data.workers=2: it is called data.num_workers=2 now"),
        (["train", "+data.workers=2"], "+data.workers=2: it is called data.num_workers=2 now"),
        (["analyse", "outputs/demo", "--again"], "--again: it is called --overwrite now"),
    ],
)
def test_what_an_earlier_fbm_called_otherwise_is_told_by_its_name_of_now(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert fbm(*words) == 1
    assert only_error(capsys.readouterr().err) == said
    assert list(tmp_path.iterdir()) == []


def test_so_is_what_a_config_file_calls_otherwise(tmp_path, monkeypatch, capsys):
    (tmp_path / "conf" / "data").mkdir(parents=True)
    (tmp_path / "conf" / "data" / "mine.yaml").write_text("defaults: [demo, _self_]\nworkers: 4\n")
    monkeypatch.chdir(tmp_path)
    assert fbm("train", "--config-dir", "conf", "data=mine") == 1
    assert only_error(capsys.readouterr().err) == "data.workers: it is called data.num_workers now"
