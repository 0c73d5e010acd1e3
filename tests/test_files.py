"""Files beside the package that tools of others read: CITATION.cff, Dockerfile, CHANGELOG.md."""

import json
import re

import pytest
import yaml

import fbm
from tests.conftest import REPOSITORY

INSTRUCTIONS = {"ARG", "FROM", "WORKDIR", "COPY", "RUN", "ENTRYPOINT", "CMD", "ENV"}


@pytest.fixture(scope="module")
def dockerfile() -> list[tuple[str, str]]:
    """Instructions and their arguments; continued lines joined, comments left out."""
    text = re.sub(r"^#.*\n", "", (REPOSITORY / "Dockerfile").read_text(), flags=re.M).replace("\\\n", " ")
    pairs = [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]
    return [(name, argument) for name, argument in pairs]


def test_the_dockerfile_parses(dockerfile):
    names = [name for name, _ in dockerfile]
    assert set(names) <= INSTRUCTIONS
    assert names[names.index("FROM") - 1] == "ARG"  # of the base image
    for name, argument in dockerfile:
        if name in ("ENTRYPOINT", "CMD"):
            assert isinstance(json.loads(argument), list)
        if name == "COPY":
            *sources, target = argument.split()
            assert all((REPOSITORY / source).exists() for source in sources)
            assert len(sources) == 1 or target.endswith("/")


def test_the_dockerfile_chooses_torch_by_argument_and_in_the_version_of_make_setup(dockerfile):
    given = dict(argument.split("=", 1) for name, argument in dockerfile if name == "ARG")
    assert given["DEVICE"] in ("cuda", "cpu")
    version = re.search(r"^TORCH := (\S+)$", (REPOSITORY / "Makefile").read_text(), re.M)
    assert version is not None
    assert given["TORCH"] == version[1]
    runs = " ".join(argument for name, argument in dockerfile if name == "RUN")
    used = set(re.findall(r"\$\{?([A-Z]+)", " ".join(argument for name, argument in dockerfile)))
    assert used == {"PYTHON", "DEVICE", "TORCH"}
    assert used <= set(given)
    assert all(f"{device})" in runs for device in ("cuda", "cpu"))


def test_the_citation_is_of_this_version_and_of_the_paper():
    content = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors", "type"} <= content.keys()
    assert content["version"] == fbm.__version__
    paper = content["preferred-citation"]
    assert [author["family-names"] for author in paper["authors"]][:2] == ["Lin", "Campos"]
    assert paper["title"] in (REPOSITORY / "README.md").read_text()


def test_the_changelog_has_this_version():
    assert f"\n## {fbm.__version__}" in (REPOSITORY / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("name", ["CHANGELOG.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(name):
    text = (REPOSITORY / name).read_text()
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert (REPOSITORY / link).exists(), link
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.M))
    assert set(re.findall(r"make ([a-z-]+) ", text)) <= targets
