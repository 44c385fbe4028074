"""The documentation says what is there: links, commands, marts, licences, sources, flags."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from pipelines.catalog import load_catalog
from pipelines.cli import app
from pipelines.night import can_fetch
from pipelines.settings import PROJECT_ROOT, Settings
from pipelines.sources.tokens import FLAGS
from tests.support import doc_examples

DICTIONARY = PROJECT_ROOT / "docs" / "dictionary"
METHODS = PROJECT_ROOT / "docs" / "methods"
PAGES = [
    *sorted(PROJECT_ROOT.glob("*.md")),
    PROJECT_ROOT / "starter" / "README.md",
    *sorted(p for p in (PROJECT_ROOT / "docs").rglob("*.md") if DICTIONARY not in p.parents),
]
MARTS = sorted(p.stem for p in (PROJECT_ROOT / "dbt_project/models/marts").rglob("mart_*.sql"))
COMMANDS = sorted(name for name in app if not name.startswith("-"))
IN_STARTER = sorted({p.parent.parent.name for p in Settings().starter.glob("*/*/edition.yml")})

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ (?P<title>.+)$", re.MULTILINE)
_CODE = re.compile(r"`([^`\n]+)`")
#: A path of one machine; `/path/to/` stands for the reader's own.
_ABSOLUTE = re.compile(r"(?<![\w.:/<>)\]*~-])/(?!path/to/)[A-Za-z_][\w.-]*/")


def words(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def flat(text: str) -> str:
    return " ".join(text.split())


def prose(path: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", words(path))


def slug(title: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def options(command: str) -> set[str]:
    return {
        name
        for argument in app[command].assemble_argument_collection()
        for name in argument.names
        if name.startswith("--") and not name.startswith("--empty-")
    }


def shell_lines(path: Path) -> list[str]:
    """Commands that the page shows, in blocks and between backticks."""
    blocks = [m["body"] for m in _FENCE.finditer(words(path)) if m["language"] == "sh"]
    lines = [line.split(" #")[0] for block in blocks for line in block.splitlines()]
    return [line.strip() for line in [*lines, *_CODE.findall(prose(path))] if line.strip()]


def called(path: Path) -> list[list[str]]:
    """Words of each call of `monazite`, without what stands in quotes."""
    lines = [re.sub(r"\"[^\"]*\"|'[^']*'", "TEXT", line) for line in shell_lines(path)]
    calls = [line.removeprefix(".venv/bin/").split() for line in lines]
    return [call[1:] for call in calls if call[0] == "monazite" and len(call) > 1]


def table_rows(text: str) -> dict[str, list[str]]:
    """Rows of the page's tables by their first cell, bare; the first where a name repeats."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("|") and not line.startswith("|---"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            found.setdefault(re.sub(r"[`\[\]]|\(.*\)", "", cells[0]), cells)
    return found


def pages(found: list[Path]) -> list:
    return [pytest.param(p, id=p.relative_to(PROJECT_ROOT).as_posix()) for p in found]


@pytest.mark.parametrize("path", pages(PAGES))
def test_links_lead_somewhere(path):
    broken = []
    for link in _LINK.finditer(prose(path)):
        target, _, anchor = link["target"].partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        place = (path.parent / target).resolve() if target else path
        if not place.exists():
            broken.append(f"{link['target']}: no such file")
        elif anchor and anchor not in {slug(h["title"]) for h in _HEADING.finditer(words(place))}:
            broken.append(f"{link['target']}: no such heading")
    assert not broken


@pytest.mark.parametrize("path", pages(PAGES))
def test_no_path_of_one_machine_is_told(path):
    assert not _ABSOLUTE.findall(re.sub(r"<?https?://\S+", "", words(path)))


def test_every_page_of_the_documentation_is_reached_from_the_readme():
    seen, waiting = set(), [PROJECT_ROOT / "README.md"]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for link in _LINK.finditer(prose(path)):
            target = link["target"].partition("#")[0]
            place = (path.parent / target).resolve()
            if target.endswith(".md") and "://" not in target and place.exists():
                waiting.append(place)
    assert set(PAGES) <= seen


# The command line


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_is_told_with_an_example(command):
    page = PROJECT_ROOT / "docs" / "commands.md"
    assert f"`monazite {command}" in words(PROJECT_ROOT / "README.md")
    assert f"## monazite {command}\n" in words(page)
    assert [call for call in called(page) if call[0] == command]
    missing = {option for option in options(command) if option not in words(page)}
    assert not missing


@pytest.mark.parametrize("path", pages(PAGES))
def test_no_command_or_option_is_told_that_does_not_exist(path):
    for first, *others in called(path):
        if first.startswith("-") or first == "COMMAND":
            continue
        assert first in COMMANDS
        told = {word for word in others if word.startswith("--")}
        assert told <= options(first) | {"--help", "--debug"}, first


@pytest.mark.parametrize("path", pages(PAGES))
def test_no_make_target_is_told_that_does_not_exist(path):
    targets = set(re.findall(r"^([a-z-]+):", words(PROJECT_ROOT / "Makefile"), re.MULTILINE))
    told = {line.split()[1] for line in shell_lines(path) if re.match(r"make [a-z-]+$", line)}
    assert told <= targets


def test_every_setting_is_told():
    page = words(PROJECT_ROOT / "docs" / "commands.md")
    missing = [n for n in Settings.model_fields if f"`MONAZITE_{n.upper()}`" not in page]
    assert not missing


# Methods


@pytest.mark.parametrize("mart", MARTS)
def test_every_mart_has_a_method_page(mart):
    listed = words(METHODS / "README.md")
    row = next(line for line in listed.splitlines() if f"`{mart}`" in line)
    linked = _LINK.search(row)
    assert linked is not None
    assert f"`{mart}`" in words(METHODS / linked["target"])


@pytest.mark.parametrize("path", pages(doc_examples.pages()))
def test_every_query_shows_its_result(path):
    assert doc_examples.bare_queries(path) == []


def test_every_measure_has_an_example():
    rows = [line for line in words(METHODS / "README.md").splitlines() if line.startswith("| `")]
    measures = {link["target"] for row in rows for link in _LINK.finditer(row)}
    assert measures
    assert not [page for page in measures if not doc_examples.examples(METHODS / page)]


def test_every_flag_of_a_cell_is_told():
    told = {
        flag
        for first in table_rows(words(PROJECT_ROOT / "docs" / "conventions.md"))
        for flag in re.split(r",\s*", first)
    }
    assert set(FLAGS) <= told


# Licences and sources


def test_the_changelog_begins_with_what_is_unreleased():
    text = words(PROJECT_ROOT / "CHANGELOG.md")
    sections = re.findall(r"^## \[?([^\]\n]+)", text, re.MULTILINE)
    assert sections[0] == "Unreleased"
    assert re.search(r"^## \[Unreleased\]\n\n### \w+\n\n- ", text, re.MULTILINE)


def section(source_id: str) -> str:
    text = words(PROJECT_ROOT / "LICENSE-DATA.md")
    found = re.search(rf"^## {source_id}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, f"LICENSE-DATA.md has no section {source_id}"
    return flat(found[1])


@pytest.mark.parametrize("source_id", IN_STARTER)
def test_licence_and_attribution_are_those_of_the_catalogue(source_id):
    source = load_catalog().source(source_id)
    text = section(source_id)
    assert flat(source.licence.name) in text
    assert source.licence.url is None or source.licence.url in text
    assert f"Redistribution: {source.licence.redistribution.value}" in text
    assert f"Attribution: {flat(source.licence.attribution)}" in text
    assert f"Cite as: {flat(source.citation)}" in text
    assert source.homepage in text


@pytest.mark.parametrize("source_id", IN_STARTER)
def test_editions_of_the_starter_are_listed_with_date_and_address(source_id):
    text = section(source_id)
    sheets = sorted(Settings().starter.glob(f"{source_id}/*/edition.yml"))
    assert sheets
    for path in sheets:
        sheet = yaml.safe_load(words(path))
        version = f", version {sheet['version']}" if sheet.get("version") else ""
        day = sheet.get("published") or "day not known"
        assert f"| {sheet['label']}{version} | {day} |" in text
        assert all(f"<{document['url']}>" in text for document in sheet["documents"])


def test_licences_are_listed_for_the_starter_and_nothing_else():
    known = set(load_catalog().sources)
    told = set(re.findall(r"^## (\w+)$", words(PROJECT_ROOT / "LICENSE-DATA.md"), re.MULTILINE))
    assert told & known == set(IN_STARTER)
    assert set(IN_STARTER) <= set(table_rows(words(Settings().starter / "README.md")))


def test_sources_are_told_as_the_catalogue_has_them():
    rows = table_rows(words(PROJECT_ROOT / "docs" / "sources" / "README.md"))
    for source_id, source in load_catalog().sources.items():
        *_, redistribution, _, comes_by = rows[source_id]
        assert redistribution == source.licence.redistribution.value, source_id
        assert comes_by == ("`--live`" if can_fetch(source_id) else "import"), source_id
