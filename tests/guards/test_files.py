import re
import statistics
import subprocess
from pathlib import Path

import pytest

import fbm

PACKAGE = Path(fbm.__file__).parent
ROOT = PACKAGE.parent
LONGEST, MEDIAN = 250, 100
# Written in pieces, so that this file holds none of them.
UNFINISHED = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "NotImplemented" + "Error")))
MACHINE = re.compile(
    "|".join(("/wo" + "rk/", "/tmp" + r"/w\b", "/opt/" + "wheels", "index" + "-url", r"https?://\S*/simple\b"))
)


def versioned() -> list[Path]:
    """All that is under version control, and what is about to be."""
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard"], capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / line for line in listed.stdout.splitlines()]


def tracked() -> list[Path]:
    """The text files of these."""
    return [path for path in versioned() if path.is_file() and b"\0" not in path.read_bytes()[:8000]]


def test_files_are_short():
    lengths = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {str(path): length for path, length in lengths.items() if length > LONGEST} == {}
    assert statistics.median(lengths.values()) < MEDIAN


def test_no_link_to_another_place_is_in_the_repository():
    """As `stores` may be one on the machine that it is developed on: in a clone it would lead nowhere."""
    assert [path.name for path in versioned() if path.is_symlink()] == []


def test_nothing_is_left_unfinished():
    sources = [*PACKAGE.rglob("*.py"), *(ROOT / "conf").rglob("*.yaml")]
    assert [str(path) for path in sources if UNFINISHED.search(path.read_text())] == []


def test_no_file_knows_the_machine_it_was_written_on():
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in tracked()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1)
        if MACHINE.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("line", ["cd /wo" + "rk/main", "--index" + "-url x", "https://mirror.local/" + "simple"])
def test_the_guard_sees_what_it_should(line):
    assert MACHINE.search(line)


def test_every_package_folder_can_be_imported():
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_files_that_documents_name_are_there():
    """Paths in the checkout, in docs, README and experiments."""
    named = re.compile(r"(?<![\w./-])((?:fbm|tests|benchmarks|conf|docs|experiments)/[\w./-]*\w)")
    missing = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in tracked()
        if path.suffix == ".md"
        for name in named.findall(path.read_text())
        if not (ROOT / name).exists() and not (ROOT / name).with_suffix(".yaml").exists()
    ]
    assert missing == []


def test_links_of_documents_lead_to_files_and_headings():
    documents = [path for path in tracked() if path.suffix == ".md"]
    links = [
        (path, *target.partition("#")[::2])
        for path in documents
        for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text())
        if "://" not in target
    ]
    assert sum(bool(heading) for _, _, heading in links) >= 10
    lost = [
        f"{path.relative_to(ROOT)}: {file}#{heading}"
        for path, file, heading in links
        for there in [path.parent / file if file else path]
        if not there.exists() or (heading and heading not in anchors(there))
    ]
    assert lost == []


def anchors(document: Path) -> set[str]:
    """Of a document's headings, as GitHub and the site make them: words in lower case, joined by hyphens."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.M)
    shown = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in shown}
