from __future__ import annotations

from html.parser import HTMLParser

import pytest

from pipelines.publish import dictionary
from pipelines.publish.manifest import Column, Model, read_manifest
from tests.fixtures.publish import sample

NASTY = "a | b <script>alert(1)</script> & \"quoted\" 'too'"


@pytest.fixture
def models():
    return [
        Model(
            name="mart_x",
            description=NASTY,
            columns=(Column("hhi", NASTY, "DOUBLE", "index", ("not null",)),),
            key=("hhi",),
            sources=("alpha_mines",),
            checks=(NASTY,),
        ),
        Model(name="dim_y"),
        Model(name="view_z", is_view=True),
        Model(name="other"),
    ]


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def parsed(page: str) -> Tags:
    parser = Tags()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


def test_every_table_has_a_page_and_stands_in_the_index(models):
    pages = dictionary.render_markdown(models, sample.catalog())
    assert set(pages) == {"index.md", "mart_x.md", "dim_y.md", "view_z.md", "other.md"}
    for model in models:
        assert f"[{model.name}]({model.name}.md)" in pages["index.md"]


def test_a_page_tells_key_sources_types_units_and_checks(models):
    page = dictionary.render_markdown(models, sample.catalog())["mart_x.md"]
    assert "- Key: `hhi`" in page
    assert "- Built from: Title of alpha mines" in page
    assert "| `hhi` | double | index |" in page
    assert "| not null |" in page


def test_markdown_tables_hold_any_text(models):
    pages = dictionary.render_markdown(models, sample.catalog())
    for page in pages.values():
        assert "<script" not in page
        for line in page.splitlines():
            if line.startswith("|"):
                assert line.replace("\\|", "").count("|") in {3, 6}


def test_the_html_page_needs_nothing_else(models):
    page = dictionary.render_html(models, sample.catalog())
    tags = parsed(page)
    assert not [tag for tag, _ in tags.tags if tag in {"link", "img", "iframe"}]
    assert not [a for tag, a in tags.tags if "src" in a]
    assert "http://" not in page
    assert "https://" not in page
    assert [tag for tag, _ in tags.tags].count("script") == 1
    anchors = {a["href"] for tag, a in tags.tags if tag == "a"}
    sections = {f"#{a['id']}" for tag, a in tags.tags if tag == "section"}
    assert anchors == sections == {"#mart_x", "#dim_y", "#view_z", "#other"}


def test_generated_pages_are_written_checked_and_kept_fresh(tmp_path, capsys):
    manifest = sample.write_manifest(tmp_path)
    arguments = ["--manifest", str(manifest), "--out", str(tmp_path / "docs")]
    assert dictionary.main([*arguments, "--check"]) == 1
    assert "stale" in capsys.readouterr().err
    assert dictionary.main(arguments) == 0
    assert dictionary.main([*arguments, "--check"]) == 0
    (tmp_path / "docs" / "mart_of_an_old_model.md").write_text("old", encoding="utf-8")
    (tmp_path / "docs" / "index.md").write_text("changed by hand", encoding="utf-8")
    assert dictionary.main([*arguments, "--check"]) == 1
    told = capsys.readouterr().err
    assert "mart_of_an_old_model.md" in told
    assert "index.md" in told
    assert dictionary.main(arguments) == 0
    assert not (tmp_path / "docs" / "mart_of_an_old_model.md").exists()
    assert dictionary.main([*arguments, "--check"]) == 0


def test_a_missing_manifest_is_one_line(tmp_path, capsys):
    assert dictionary.main(["--manifest", str(tmp_path / "none.json")]) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert told.count("\n") == 1


def test_the_released_dictionary_follows_the_file(released):
    page = (released.public / "dictionary" / "mart_concentration.md").read_text("utf-8")
    models = read_manifest(sample.write_manifest(released.path.parent.parent / "again"))
    described = {column.name for column in models["mart_concentration"].columns}
    assert "source_edition_ids" not in described
    assert "| `source_edition_ids` | varchar[] |" in page
    names = {path.stem for path in (released.public / "dictionary").glob("*.md")}
    assert "view_concentration" in names
    assert "mart_ungated" not in names
    parsed((released.public / "dictionary" / "index.html").read_text("utf-8"))
