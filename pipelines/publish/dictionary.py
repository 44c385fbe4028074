"""The data dictionary: every released table and column in words, generated from dbt.

A column is described once, in the YAML beside its model. From there it reaches the comments in the
DuckDB file, ``datapackage.json``, the dictionary in ``public/`` and ``docs/dictionary/``::

    python -m pipelines.publish.dictionary            writes docs/dictionary/
    python -m pipelines.publish.dictionary --check    exit status 1 if it is stale
"""

from __future__ import annotations

import argparse
import html
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipelines.catalog import Catalog, load_catalog
from pipelines.errors import BuildFailed, MonaziteError
from pipelines.publish.manifest import Column, Model, read_manifest
from pipelines.settings import PROJECT_ROOT

__all__ = ["main", "parsed_manifest", "render_html", "render_markdown", "stale_pages"]

_GROUPS: dict[str, tuple[str, str]] = {
    "mart_": ("Marts", "What analysts query."),
    "view_": ("Views", "Marts in the form in which they are usually read."),
    "fct_": ("Facts", "What the publishers say, harmonised, row by row."),
    "dim_": ("Dimensions", "What the codes in the other tables stand for."),
    "ref_": ("References", "Thresholds, weights and other values that the methods use."),
    "": ("Other tables", ""),
}


def render_markdown(models: Collection[Model], catalog: Catalog) -> dict[str, str]:
    """One page a table and ``index.md``: text by file name."""
    pages = {f"{model.name}.md": _page(model, catalog) for model in models}
    pages["index.md"] = _index(models)
    return pages


def _index(models: Collection[Model]) -> str:
    lines = [
        "# Data dictionary",
        "",
        "Generated from the descriptions beside the dbt models; change them there.",
        "",
    ]
    for title, told, members in _grouped(models):
        lines += [f"## {title}", ""]
        lines += [told, ""] if told else []
        lines += ["| table | what a row is about |", "|---|---|"]
        lines += [
            f"| [{model.name}]({model.name}.md) | {_cell(model.description)} |" for model in members
        ]
        lines.append("")
    return "\n".join(lines)


def _page(model: Model, catalog: Catalog) -> str:
    lines = [f"# {model.name}", ""]
    lines += [_escaped(model.description), ""] if model.description else []
    if model.key:
        lines.append(f"- Key: {', '.join(f'`{column}`' for column in model.key)}")
    if titles := _titles(model, catalog):
        lines.append(f"- Built from: {_escaped('; '.join(titles))}")
    lines += [f"- Checked: {_escaped(check)}" for check in model.checks]
    lines += ["", "| column | type | unit | meaning | checked |", "|---|---|---|---|---|"]
    lines += [
        f"| `{c.name}` | {_cell((c.data_type or '').lower())} | {_cell(c.unit or '')} "
        f"| {_cell(c.description)} | {_cell('; '.join(c.checks))} |"
        for c in model.columns
    ]
    lines.append("")
    return "\n".join(lines)


def _escaped(text: str) -> str:
    return text.replace("<", "&lt;")


def _cell(text: str) -> str:
    return _escaped(text).replace("|", "\\|")


def _titles(model: Model, catalog: Catalog) -> list[str]:
    return [catalog.sources[s].title for s in model.sources if s in catalog.sources]


def _grouped(models: Collection[Model]) -> Iterator[tuple[str, str, list[Model]]]:
    left = sorted(models, key=lambda model: model.name)
    for prefix, (title, told) in _GROUPS.items():
        members = [model for model in left if model.name.startswith(prefix)]
        left = [model for model in left if model not in members]
        if members:
            yield title, told, members


def render_html(models: Collection[Model], catalog: Catalog) -> str:
    """The whole dictionary as one page that needs nothing else."""
    contents: list[str] = []
    sections: list[str] = []
    for title, told, members in _grouped(models):
        links = "".join(
            f'<li><a href="#{html.escape(m.name)}">{html.escape(m.name)}</a></li>' for m in members
        )
        contents.append(f"<h2>{html.escape(title)}</h2><ul>{links}</ul>")
        sections.append(f"<h2>{html.escape(title)}</h2><p>{html.escape(told)}</p>")
        sections += [_section(model, catalog) for model in members]
    return _HTML.replace("@contents@", "\n".join(contents)).replace(
        "@sections@", "\n".join(sections)
    )


def _section(model: Model, catalog: Catalog) -> str:
    facts: list[str] = []
    if model.key:
        key = ", ".join(f"<code>{html.escape(column)}</code>" for column in model.key)
        facts.append(f"<li>Key: {key}</li>")
    if titles := _titles(model, catalog):
        facts.append(f"<li>Built from: {html.escape('; '.join(titles))}</li>")
    facts += [f"<li>Checked: {html.escape(check)}</li>" for check in model.checks]
    rows = "".join(_row(column) for column in model.columns)
    return (
        f'<section id="{html.escape(model.name)}"><h3>{html.escape(model.name)}</h3>'
        f"<p>{html.escape(model.description)}</p><ul>{''.join(facts)}</ul>"
        '<div class="wide"><table><thead><tr><th scope="col">column</th><th scope="col">type</th>'
        '<th scope="col">unit</th><th scope="col">meaning</th><th scope="col">checked</th></tr>'
        f"</thead><tbody>{rows}</tbody></table></div></section>"
    )


def _row(column: Column) -> str:
    texts = (
        (column.data_type or "").lower(),
        column.unit or "",
        column.description,
        "; ".join(column.checks),
    )
    cells = "".join(f"<td>{html.escape(text)}</td>" for text in texts)
    return f'<tr><th scope="row"><code>{html.escape(column.name)}</code></th>{cells}</tr>'


_HTML = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Monazite: data dictionary</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; display: flex; flex-wrap: wrap; }
nav { flex: 0 0 17rem; padding: 1rem; box-sizing: border-box; }
nav ul { list-style: none; padding: 0; margin: 0; }
nav h2 { font-size: 1rem; margin: 1rem 0 .2rem; }
nav input { width: 100%; box-sizing: border-box; font: inherit; padding: .3rem; }
main { flex: 1 1 40rem; min-width: 0; padding: 1rem; }
section { border-top: 1px solid color-mix(in srgb, currentColor 25%, transparent); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; }
tbody tr { border-top: 1px solid color-mix(in srgb, currentColor 15%, transparent); }
code { font-family: ui-monospace, monospace; font-size: .9em; }
@media (min-width: 60rem) { nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; } }
</style>
</head>
<body>
<nav>
<h1>Data dictionary</h1>
<label>Find a table or column <input type="search" id="find"></label>
@contents@
</nav>
<main>
@sections@
</main>
<script>
document.getElementById("find").addEventListener("input", (event) => {
  const wanted = event.target.value.trim().toLowerCase();
  for (const section of document.querySelectorAll("section")) {
    section.hidden = wanted !== "" && !section.textContent.toLowerCase().includes(wanted);
    document.querySelector(`nav a[href="#${section.id}"]`).parentElement.hidden = section.hidden;
  }
});
</script>
</body>
</html>
"""


def stale_pages(folder: Path, pages: Mapping[str, str]) -> list[str]:
    """Pages that are missing, differ, or stand there without a table, by file name."""
    present = {path.name: path for path in folder.glob("*.md")} if folder.is_dir() else {}
    stale = {
        name
        for name, text in pages.items()
        if name not in present or present[name].read_text(encoding="utf-8") != text
    }
    return sorted(stale | (set(present) - set(pages)))


@contextmanager
def parsed_manifest(project: Path) -> Iterator[Path]:
    """A manifest of the dbt project as it stands, made by ``dbt parse`` in a folder of its own.

    :raises BuildFailed: dbt finds a mistake in the project.
    """
    from dbt.cli.main import dbtRunner

    with tempfile.TemporaryDirectory() as folder:
        result = dbtRunner().invoke(
            [
                *("--quiet", "--no-partial-parse", "parse"),
                *("--project-dir", str(project), "--profiles-dir", str(project)),
                *("--target-path", folder, "--log-path", folder),
            ]
        )
        if not result.success:
            raise BuildFailed(
                f"dbt cannot read the project: {result.exception or 'see its messages'}",
                where=str(project),
            )
        yield Path(folder) / "manifest.json"


def _update(folder: Path, pages: Mapping[str, str], stale: Sequence[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in stale:
        if name in pages:
            (folder / name).write_text(pages[name], encoding="utf-8")
        else:
            (folder / name).unlink()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.publish.dictionary",
        description="Write the data dictionary from the descriptions beside the dbt models.",
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail if it is stale")
    parser.add_argument("--manifest", type=Path, help="dbt's manifest.json (default: dbt parse)")
    parser.add_argument("--out", type=Path, default=PROJECT_ROOT / "docs" / "dictionary")
    options = parser.parse_args(arguments)
    try:
        if options.manifest is not None:
            models = read_manifest(options.manifest)
        else:
            with parsed_manifest(PROJECT_ROOT / "dbt_project") as manifest:
                models = read_manifest(manifest)
        pages = render_markdown(models.values(), load_catalog())
    except MonaziteError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    stale = stale_pages(options.out, pages)
    if not options.check:
        _update(options.out, pages, stale)
        print(f"{len(pages)} pages in {options.out}, {len(stale)} of them changed")
        return 0
    for name in stale:
        print(f"stale: {options.out / name}", file=sys.stderr)
    if stale:
        print("run `python -m pipelines.publish.dictionary`", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
