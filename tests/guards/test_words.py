"""One word for one thing, the field's word (docs/glossary.md): names and prose that the project once had for itself."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import fbm

PACKAGE = Path(fbm.__file__).parent
SOURCES = [*sorted(PACKAGE.rglob("*.py")), *sorted((PACKAGE.parent / "benchmarks").rglob("*.py"))]

# Names that say nothing to a reader from the field, and the word that does.
NAMES = {
    "told": "logged, reported",
    "tell": "log, report",
    "anew": "again",
    "mendable": "user_message",
    "mend": "remedy, fix",
    "begun": "started",
    "creed": "launch_fingerprint",
    "lead_or_follow": "run_as_leader_or_follower",
    "bring_to_an_end": "run_to_completion",
    "whole_file": "atomic_write",
    "as_it_is": "identity",
    "afresh": "from_start",
    "goes_on": "resumes",
    "go_on": "resume",
    "went_on": "resumed",
}
PROSE = {
    r"\btold\b": "logged, reported, given",
    r"\banew\b": "again, start over",
    r"\bmend(s|ed|able)?\b": "fix",
    r"\bbegun\b": "started",
    r"\bg(o|oes|one) on\b": "resume, continue",
    r"\bwent on\b": "resumed, continued",
    r"\bis at it\b": "is in use by",
    r"\bnobody knows\b": "unknown",
}


def names(tree: ast.AST) -> Iterator[str]:
    """What a module defines: functions, classes, arguments, constants."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def prose(text: str) -> Iterator[tuple[int, str]]:
    """Comments and strings of a module with their lines; strings without spaces are keys, not prose."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and " " in token.string):
            yield token.start[0], token.string


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE.parent)))
def test_names_are_the_fields(path):
    text = path.read_text()
    found = sorted({name for name in names(ast.parse(text)) if name.strip("_").lower() in NAMES})
    assert found == [], {name: NAMES[name.strip("_").lower()] for name in found}
    spoken = [
        f"{path.name}:{line}: {match[0]!r}: {better}"
        for line, string in prose(text)
        for pattern, better in PROSE.items()
        if (match := re.search(pattern, string, re.IGNORECASE))
    ]
    assert spoken == []


def test_the_guard_sees_what_it_should():
    tree = ast.parse("def _tell(told):\n    ANEW = 1\n")
    assert {name.strip("_").lower() for name in names(tree)} <= set(NAMES)
    found = list(prose('"""It goes on."""\nx = "told"  # done anew\n'))
    assert [line for line, _ in found] == [1, 2]
    assert all(any(re.search(pattern, string) for pattern in PROSE) for _, string in found)
