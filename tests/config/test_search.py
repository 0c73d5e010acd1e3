"""Searches by Optuna with jobs that compute a formula: proposals, failures, kills and what is refused."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hydra.core.utils import JobReturn, JobStatus
from yaml import safe_load

from fbm.config.search import Search, parse_space
from fbm.utils.errors import UserError
from fbm.utils.files import exclusive_lock

optuna = pytest.importorskip("optuna")

ARGUMENTS = ["optim.lr=tag(log, interval(1e-4, 1e-1))", "kind=choice(a,b)", "seed=3"]


class Jobs:
    """A launcher: what each job was given, and what it returned."""

    def __init__(self, job: Callable[[dict[str, str]], Any]) -> None:
        self.job, self.given = job, list[dict[str, str]]()

    def __call__(self, overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
        returned = []
        for words in overrides:
            self.given.append(dict(word.split("=", 1) for word in words))
            try:
                returned.append(JobReturn(_return_value=self.job(self.given[-1]), status=JobStatus.COMPLETED))
            except UserError as error:
                returned.append(JobReturn(_return_value=error, status=JobStatus.FAILED))
        return returned


def quadratic(words: dict[str, str]) -> float:
    return (float(words["optim.lr"]) - 0.03) ** 2 + (words["kind"] == "a")


def search(folder: Path, jobs: Any, **settings: Any) -> Search:
    given: dict[str, Any] = {
        **{"study_name": "s", "direction": "minimize", "n_trials": 6, "n_jobs": 1, "max_failures": 3, "seed": 0},
        **{"sampler": partial(optuna.samplers.TPESampler, n_startup_trials=2), "params": None},
        **settings,
    }
    return Search(jobs, folder, **given)


def best(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = safe_load((folder / "optimization_results.yaml").read_text())
    return found


def test_the_best_trial_is_written_and_all_are_in_the_journal(tmp_path, capsys):
    jobs = Jobs(quadratic)
    search(tmp_path, jobs).run(ARGUMENTS)
    assert len(jobs.given) == 6
    assert all(words["seed"] == "3" and 1e-4 <= float(words["optim.lr"]) <= 1e-1 for words in jobs.given)
    lowest = min(jobs.given, key=quadratic)
    assert best(tmp_path) == {
        "name": "optuna",
        "best_params": {"optim.lr": float(lowest["optim.lr"]), "kind": lowest["kind"]},
        "best_value": quadratic(lowest),
    }
    assert f"best of 6 trials: {quadratic(lowest):.4g} with optim.lr={lowest['optim.lr']}" in capsys.readouterr().out
    # As optuna-dashboard opens it.
    backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / "search" / "journal.log"))
    (study,) = optuna.get_all_study_summaries(optuna.storages.JournalStorage(backend))
    assert (study.study_name, study.n_trials) == ("s", 6)


def test_a_search_of_one_trial_more_is_extended(tmp_path):
    jobs = Jobs(quadratic)
    search(tmp_path, jobs, n_trials=2).run(ARGUMENTS)
    search(tmp_path, jobs, n_trials=2).run(ARGUMENTS)
    assert len(jobs.given) == 2
    search(tmp_path, jobs, n_trials=3).run(ARGUMENTS)
    assert len(jobs.given) == 3


@pytest.mark.parametrize("killed_at", [1, 4])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_killed_search_repeats_its_trial_and_is_then_what_it_would_have_been(tmp_path, killed_at, n_jobs):
    whole, halves = Jobs(quadratic), list[dict[str, str]]()
    search(tmp_path / "whole", whole, n_jobs=n_jobs).run(ARGUMENTS)

    def killed(words: dict[str, str]) -> float:
        if len(halves) == killed_at:
            raise KeyboardInterrupt
        halves.append(words)
        return quadratic(words)

    with pytest.raises(KeyboardInterrupt):
        search(tmp_path / "halves", Jobs(killed), n_jobs=n_jobs).run(ARGUMENTS)
    resumed = Jobs(quadratic)
    search(tmp_path / "halves", resumed, n_jobs=n_jobs).run(ARGUMENTS)
    first = len(halves) // n_jobs * n_jobs  # a whole batch is repeated
    assert halves[:first] + resumed.given == whole.given
    assert best(tmp_path / "halves") == best(tmp_path / "whole")


def test_failed_trials_are_no_results_and_several_in_a_row_end_the_search(tmp_path, capsys):
    def diverges(words: dict[str, str]) -> float | None:
        if len(jobs.given) in (2, 4):
            raise UserError("the loss is nan")
        return float("nan") if len(jobs.given) == 3 else quadratic(words)

    jobs = Jobs(diverges)
    with pytest.raises(UserError, match="the last 3 trials failed, 1 of 6 have a result"):
        search(tmp_path, jobs).run(ARGUMENTS)
    assert not (tmp_path / "optimization_results.yaml").exists()
    jobs.job = quadratic
    search(tmp_path, jobs).run(ARGUMENTS)
    assert len(jobs.given) == 4 + 5
    assert len({words["optim.lr"] for words in jobs.given}) == 9  # failed ones are not proposed again
    assert "best of 6 trials" in (said := capsys.readouterr().out)
    assert "3 failed" in said


def test_a_launcher_that_loses_a_job_is_one_line_and_the_trial_is_repeated(tmp_path):
    jobs = Jobs(quadratic)

    def loses(overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
        jobs(overrides, initial_job_idx)
        raise RuntimeError("a worker was killed")

    with pytest.raises(UserError, match=r"a trial was lost: its process died \(RuntimeError: a worker was killed"):
        search(tmp_path, loses).run(ARGUMENTS)
    search(tmp_path, jobs).run(ARGUMENTS)
    assert jobs.given[0] == jobs.given[1]
    assert len(jobs.given) == 7


def test_what_is_searched_for():
    space, fixed = parse_space(
        [
            *("a=int(interval(1,9))", "b=interval(0.5,2)", "c=tag(log,int(interval(1,8)))", "d=range(1,6,2)"),
            *("e=range(0,1,0.25)", "+f=x,y", "task=choice(one,two)", "g=[1,2]", "h=1"),
        ]
    )
    kinds = optuna.distributions
    assert space == {
        "a": kinds.IntDistribution(1, 9),
        "b": kinds.FloatDistribution(0.5, 2),
        "c": kinds.IntDistribution(1, 8, log=True),
        "d": kinds.IntDistribution(1, 5, step=2),
        "e": kinds.FloatDistribution(0, 0.75, step=0.25),
        "+f": kinds.CategoricalDistribution(["x", "y"]),
        "task": kinds.CategoricalDistribution(["one", "two"]),
    }
    assert fixed == ["g=[1,2]", "h=1"]


@pytest.mark.parametrize(
    ("settings", "arguments", "message"),
    [
        ({"n_trials": 0}, ARGUMENTS, "hydra.sweeper.n_trials=0: it should be a whole number of at least 1"),
        ({"max_failures": "many"}, ARGUMENTS, "hydra.sweeper.max_failures=many"),
        ({"direction": "up"}, ARGUMENTS, "hydra.sweeper.direction=up: it should be minimize or maximize"),
        ({}, ["seed=3"], "nothing to search for: give a setting as interval"),
        ({}, [*ARGUMENTS[:2], "seed=4"], r"has other settings \(seed=3, seed=4\): choose another study=NAME"),
        ({"direction": "maximize"}, ARGUMENTS, r"has other settings \(direction=minimize\)"),
        ({}, [ARGUMENTS[0], "kind=choice(a,b,c)", "seed=3"], "is over other values"),
    ],
)
def test_what_is_refused_in_one_line(tmp_path, capsys, settings, arguments, message):
    jobs = Jobs(quadratic)
    search(tmp_path, jobs, n_trials=1).run(ARGUMENTS)
    with pytest.raises(UserError, match=message):
        search(tmp_path, jobs, **{"n_trials": 2, **settings}).run(arguments)
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert len(jobs.given) == 1


def test_settings_that_change_no_result_may_change(tmp_path):
    jobs = Jobs(quadratic)
    search(tmp_path, jobs, n_trials=1).run(ARGUMENTS)
    search(tmp_path, jobs, n_trials=2).run([*ARGUMENTS, "logger=csv", "data.num_workers=2"])
    assert len(jobs.given) == 2


def test_a_search_that_is_running_is_one_line(tmp_path):
    jobs = Jobs(quadratic)
    with exclusive_lock(tmp_path / "search", "the search"), pytest.raises(UserError, match="the search"):
        search(tmp_path, jobs).run(ARGUMENTS)
    assert not jobs.given


def test_a_damaged_journal_is_one_line(tmp_path):
    jobs = Jobs(quadratic)
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "journal.log").write_text("no journal\n\n{")
    with pytest.raises(UserError, match=r"journal.log cannot be read .*: remove it to start over"):
        search(tmp_path, jobs).run(ARGUMENTS)


def test_without_optuna_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(UserError, match=r"Optuna is not installed: pip install 'fbm-video\[optuna\]'"):
        search(tmp_path, SimpleNamespace())
