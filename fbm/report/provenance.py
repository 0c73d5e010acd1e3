"""Where the numbers come from: what the runs' summaries say about code, versions and machines."""

from collections.abc import Iterable, Sequence

from fbm.report import numbers
from fbm.report.read.runs import Run


def provenance(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """Label and value, values that differ between runs side by side."""
    lines = [
        ("Data fingerprint", _distinct(run.summary.fingerprints.data for run in runs)),
        ("Commit", _distinct(_commit(run) for run in runs)),
        ("Lock (requirements.lock)", _distinct(run.summary.lock or "not recorded" for run in runs)),
        ("Installed packages", _distinct(run.summary.packages or "not recorded" for run in runs)),
    ]
    for title, prints in (("Lock", [r.summary.lock for r in runs]), ("Packages", [r.summary.packages for r in runs])):
        if any(prints):
            lines.append((title, _distinct(text or "not recorded" for text in prints)))
    for title, facts in (
        ("Version", [run.summary.versions for run in runs]),
        ("Hardware", [run.summary.hardware for run in runs]),
    ):
        for key in sorted({key for fact in facts for key in fact}):
            lines.append((f"{title}: {key}", _distinct(str(fact[key]) for fact in facts if key in fact)))
    return lines


def _commit(run: Run) -> str:
    git = run.summary.git
    if not git:
        return "not in a git checkout"
    return f"{git.get('commit')}{' with uncommitted changes' if git.get('dirty') else ''}"


def _distinct(values: Iterable[str]) -> str:
    return numbers.names(sorted(set(values)))
