"""docs/scores.md: its example runs, without the rest of fbm, and names all functions."""

import re
import subprocess
import sys

import pytest

from fbm import scores
from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "scores.md").read_text()
[EXAMPLE] = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)


def test_the_example_has_ten_lines_and_finds_parts_that_are_apart(capsys):
    assert len([line for line in EXAMPLE.splitlines() if line and not line.startswith(("import", "from"))]) <= 10
    exec(EXAMPLE, {})
    diagonality, d, c, gap, modularity, leakage, cka = map(float, capsys.readouterr().out.split())
    assert min(diagonality, gap) > 0.7
    assert min(d, c, modularity) > 0.5
    assert max(leakage, cka) < 0.2


def test_every_score_is_defined():
    assert {name for name in scores.__all__ if f"`{name}`" not in PAGE and f"scores.{name}(" not in PAGE} <= {
        "disentanglement_of_parts", "completeness_of_factors"
    }  # fmt: skip


@pytest.mark.slow
def test_it_is_imported_without_the_rest():
    code = "import sys, fbm.scores; print(sorted({'torch', 'hydra', 'scipy', 'sklearn', 'rich'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr
