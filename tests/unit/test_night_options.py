"""What a publisher's fetch is told, and what is said where it cannot be told so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import UsageError
from pipelines.night import fetch_options
from pipelines.settings import Settings
from pipelines.sources.allowance import Allowance
from tests.support.nights import catalogue, toy_readers


def options(source_id: str, tmp_path: Path, chosen: dict[str, Any], **asked: Any) -> dict[str, Any]:
    settings = Settings(home=tmp_path, fetch={source_id: chosen})
    allowance = Allowance(tmp_path / "requests.json", None)
    with toy_readers():
        source = catalogue().source(source_id)
        return fetch_options(settings, source, allowance, **asked)


def test_a_fetch_is_told_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    assert options("toy_files", tmp_path, {}) == {}
    told = options("toy_pages", tmp_path, {"least": 2020}, years=[2024])
    assert told == {
        "state_dir": tmp_path / "fetch" / "toy_pages",
        "years": [2024],
        "editions": None,
        "least": 2020,
    }


@pytest.mark.parametrize(
    ("source_id", "chosen", "asked", "says"),
    [
        ("toy_pages", {"lest": 1}, {}, "toy_pages knows no option 'lest' .* may hold: least"),
        ("toy_pages", {"state_dir": "/"}, {}, "knows no option 'state_dir'"),
        ("toy_pages", {"least": "many"}, {}, "option least of toy_pages cannot be 'many'"),
        ("toy_pages", {"least": [1]}, {}, "option least of toy_pages cannot be"),
        ("toy_files", {"least": 1}, {}, "may hold: none"),
        ("toy_files", {}, {"years": [2024]}, "toy_files cannot be asked for single years"),
        ("toy_files", {}, {"editions": ["a"]}, "toy_files cannot be asked for single editions"),
    ],
)
def test_what_a_fetch_cannot_be_told_is_one_line(
    source_id: str, chosen: dict[str, Any], asked: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        options(source_id, tmp_path, chosen, **asked)
    assert str(caught.value).isprintable()


def test_options_of_every_publisher_can_be_checked(tmp_path: Path) -> None:
    """Their types are known where they are read, not only to a type checker."""
    import inspect

    from pipelines.catalog import load_catalog
    from pipelines.night import can_fetch
    from pipelines.sources import load_source

    asked = [s for s in load_catalog().sources if can_fetch(s)]
    assert asked
    for source_id in asked:
        module: Any = load_source(source_id)
        assert "client" in inspect.get_annotations(module.fetch, eval_str=True)
