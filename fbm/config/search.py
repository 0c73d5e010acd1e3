"""A search by Optuna over Hydra's jobs, kept in the study's folder: it resumes, can be extended, and looked at."""

from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Transformer
from hydra.core.utils import JobReturn, JobStatus
from yaml import safe_dump

from fbm.config.keys import NON_SEMANTIC_KEYS, under
from fbm.config.launchers import describe_lost
from fbm.utils.errors import InUseError, UserError
from fbm.utils.files import exclusive_lock, write_text
from fbm.utils.messages import print_error

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler

Launch = Callable[..., Sequence[JobReturn]]

FOLDER, JOURNAL = "search", "journal.log"  # in the study's folder; a journal that `optuna-dashboard` reads
RESULTS = "optimization_results.yaml"
IRRELEVANT = (*NON_SEMANTIC_KEYS, "launcher")  # to what a trial results in
SETTINGS, INTERRUPTED = "settings", "interrupted"  # attributes of the study, and of a trial that is repeated


class Search:
    """Trials of Optuna, each a job of Hydra.

    A trial's settings depend on the seed and the results before alone: resumed, a search is what it would have been.

    Args:
        launch: runs jobs for lists of overrides, as Hydra's launchers do.
        folder: of the study's runs.
        study_name, direction: Optuna's.
        n_trials: trials with a result, in all.
        n_jobs: trials at a time.
        max_failures: failed trials in a row that end the search.
        seed: of the sampler.
        sampler: makes one of Optuna's samplers from a `seed`.
        params: settings to search for, as on the command line.

    Raises:
        UserError: a setting is out of range, or Optuna is not installed.
    """

    def __init__(
        self,
        launch: Launch,
        folder: Path,
        study_name: str,
        direction: Literal["minimize", "maximize"],
        n_trials: int,
        n_jobs: int,
        max_failures: int,
        seed: int,
        sampler: "Callable[..., BaseSampler]",
        params: Mapping[str, Any] | None,
    ) -> None:
        for name, value in {"n_trials": n_trials, "n_jobs": n_jobs, "max_failures": max_failures}.items():
            if not isinstance(value, int) or value < 1:
                raise _refused(f"hydra.sweeper.{name}={value}: it should be a whole number of at least 1")
        if direction not in ("minimize", "maximize"):
            raise _refused(f"hydra.sweeper.direction={direction}: it should be minimize or maximize")
        try:
            import optuna
        except ImportError as error:
            raise _refused("Optuna is not installed: pip install 'fbm-video[optuna]'") from error
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.launch, self.folder, self.name, self.direction = launch, folder, study_name, direction
        self.n_trials, self.n_jobs, self.max_failures = n_trials, n_jobs, max_failures
        self.seed, self.sampler, self.params = seed, sampler, params or {}

    def run(self, arguments: Sequence[str]) -> None:
        """Run the trials that are missing; prints the best one, and writes it to `optimization_results.yaml`.

        Args:
            arguments: overrides; those with several values are searched for, the others hold for all trials.

        Raises:
            UserError: the search was started with other settings, is running elsewhere, or too many trials failed.
        """
        space, fixed = parse_space([*(f"{key}={value}" for key, value in self.params.items()), *arguments])
        if not space:
            raise _refused("nothing to search for: give a setting as interval(LOW,HIGH), range(..) or choice(..)")
        try:
            with exclusive_lock(self.folder / FOLDER, "the search"):
                study = self._open(fixed)
                if done := len(_complete(study)):
                    print(f"{self.name}: {done} of {max(done, self.n_trials)} trials have a result already")
                self._repeat_interrupted(study)
                while (left := self.n_trials - len(_complete(study))) > 0:
                    self._run_batch(study, space, fixed, min(left, self.n_jobs))
                self._report(study)
        except InUseError as error:
            raise _refused(str(error)) from error

    def _open(self, fixed: Sequence[str]) -> "Study":
        """The study in the journal, or a new one."""
        import optuna
        from optuna.storages.journal import JournalFileBackend, JournalStorage

        path = self.folder / FOLDER / JOURNAL
        try:
            study = optuna.create_study(
                storage=JournalStorage(JournalFileBackend(str(path))),
                study_name=self.name,
                direction=self.direction,
                load_if_exists=True,
            )
        except (OSError, ValueError, KeyError) as error:
            raise _refused(
                f"{path} cannot be read ({' '.join(str(error).split())}): remove it to start over"
            ) from error
        named = sorted(text for text in fixed if not under(text.split("=")[0].lstrip("+~"), IRRELEVANT))
        before = study.user_attrs.get(SETTINGS, named)
        if before != named or study.direction.name.lower() != self.direction:
            differing = ", ".join(sorted(set(before) ^ set(named))) or f"direction={study.direction.name.lower()}"
            raise _refused(f"the search in {self.folder} has other settings ({differing}): choose another study=NAME")
        study.set_user_attr(SETTINGS, named)
        return study

    def _repeat_interrupted(self, study: "Study") -> None:
        """Plan the trials again in which an earlier command was ended; their runs resume."""
        from optuna.trial import TrialState

        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            study.tell(trial.number, state=TrialState.FAIL)
            study.enqueue_trial(trial.params, user_attrs={INTERRUPTED: trial.number})
            print(f"{self.name}: trial {trial.number} was interrupted and is repeated")

    def _run_batch(self, study: "Study", space: "dict[str, BaseDistribution]", fixed: list[str], count: int) -> None:
        from optuna.trial import TrialState

        trials = [self._ask(study, space) for _ in range(count)]
        jobs = [[*(f"{key}={value}" for key, value in trial.params.items()), *fixed] for trial in trials]
        try:
            returned = self.launch(jobs, initial_job_idx=trials[0].number)
        except Exception as error:  # of the launcher, whatever it is
            raise _refused(f"a trial was lost: {describe_lost(error)}; the same command repeats it") from error
        for trial, done in zip(trials, returned, strict=True):
            value = done._return_value if done.status is JobStatus.COMPLETED else None
            if isinstance(value, int | float) and np.isfinite(value):
                study.tell(trial, float(value))
            else:
                study.tell(trial, state=TrialState.FAIL)
        failed = takewhile(lambda trial: trial.state is TrialState.FAIL, reversed(_proposed(study)))
        if (count := sum(1 for _ in failed)) >= self.max_failures:
            raise _refused(
                f"the last {count} trials failed, {len(_complete(study))} of {self.n_trials} have a result; "
                "the same command continues (hydra.sweeper.max_failures)"
            )

    def _ask(self, study: "Study", space: "dict[str, BaseDistribution]") -> "Trial":
        # A sampler with a state would propose others after a kill.
        state = np.random.SeedSequence([self.seed, len(_proposed(study))]).generate_state(1)
        study.sampler = self.sampler(seed=int(state[0]))
        try:
            return study.ask(space)
        except ValueError as error:
            raise _refused(
                f"the search in {self.folder} is over other values ({error}): choose another study=NAME"
            ) from error

    def _report(self, study: "Study") -> None:
        best = study.best_trial
        write_text(
            self.folder / RESULTS,
            safe_dump({"name": "optuna", "best_params": best.params, "best_value": best.value}, sort_keys=False),
        )
        found = " ".join(f"{key}={value}" for key, value in best.params.items())
        failed = len(_proposed(study)) - len(_complete(study))
        print(
            f"{self.name}: best of {len(_complete(study))} trials: {best.value:.4g} with {found}"
            f"{f'; {failed} failed' if failed else ''}; optuna-dashboard shows {self.folder / FOLDER / JOURNAL}"
        )


def parse_space(arguments: Sequence[str]) -> "tuple[dict[str, BaseDistribution], list[str]]":
    """The distributions of the overrides with several values by key, and the other overrides as they are."""
    space, fixed = {}, []
    for override in OverridesParser.create().parse_overrides(list(arguments)):
        if override.is_sweep_override():
            space[override.get_key_element()] = _distribution(override)
        else:
            assert override.input_line is not None
            fixed.append(override.input_line)
    return space, fixed


def _distribution(override: Override) -> "BaseDistribution":
    """Optuna's distribution for an interval (logarithmic with the tag `log`), a range or a choice of Hydra's."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    value: Any = override.value()
    if override.is_interval_sweep():
        whole = isinstance(value.start, int) and isinstance(value.end, int)
        return (IntDistribution if whole else FloatDistribution)(value.start, value.end, log="log" in value.tags)
    values: list[Any] = list(override.sweep_iterator(transformer=Transformer.encode))
    if override.is_range_sweep() and not value.shuffle:
        whole = all(isinstance(number, int) for number in values)
        return (IntDistribution if whole else FloatDistribution)(values[0], values[-1], step=value.step)
    return CategoricalDistribution(values)


def _complete(study: "Study") -> list[Any]:
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _proposed(study: "Study") -> list[Any]:
    """All trials but the interrupted ones, which are repeated under another number."""
    trials = study.get_trials(deepcopy=False)
    repeated = {trial.user_attrs.get(INTERRUPTED) for trial in trials}
    return [trial for trial in trials if trial.number not in repeated and trial.state.name != "WAITING"]


def _refused(message: str) -> UserError:
    """The error, printed now: Hydra's application takes an error of a sweep as one of its jobs', which is printed."""
    print_error(message)
    return UserError(message)
