"""Who is to be named in what is passed on: attributions of exactly the sources that are in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from pipelines.catalog import Catalog, Edition, Source

__all__ = ["SourceInside", "render_licences", "sources_inside"]


@dataclass(frozen=True, slots=True)
class SourceInside:
    """A source whose rows or editions are in ``public/``.

    :ivar editions: what the catalogue tells of its editions, in the order of their ids.
    :ivar unlisted: ids of editions that the catalogue does not list one by one.
    """

    source: Source
    editions: tuple[Edition, ...] = ()
    unlisted: tuple[str, ...] = ()

    @property
    def edition_ids(self) -> tuple[str, ...]:
        """Ids of all its editions inside."""
        return tuple(sorted([*(e.edition_id for e in self.editions), *self.unlisted]))

    @property
    def citations(self) -> tuple[str, ...]:
        """How to cite it, each wording once."""
        texts = [self.source.citation, *(e.citation for e in self.editions)]
        return tuple(dict.fromkeys(text.strip() for text in texts if text.strip()))


def sources_inside(
    catalog: Catalog, sources: Iterable[str], editions: Collection[str]
) -> list[SourceInside]:
    """The catalogue's entries behind these sources and editions, in the order of their ids."""
    inside: list[SourceInside] = []
    named = {*sources, *(edition.split("-", 1)[0] for edition in editions)}
    for source_id in sorted(named & set(catalog.sources)):
        source = catalog.sources[source_id]
        known = {
            edition.edition_id: edition
            for edition in (source.edition(announced.label) for announced in source.editions)
        }
        own = sorted(e for e in editions if e.split("-", 1)[0] == source_id)
        inside.append(
            SourceInside(
                source=source,
                editions=tuple(known[e] for e in own if e in known),
                unlisted=tuple(e for e in own if e not in known),
            )
        )
    return inside


def render_licences(inside: Collection[SourceInside]) -> str:
    """``LICENCES.md``: terms, attribution and citation of each source, in Markdown."""
    lines = [
        "# Licences and attributions",
        "",
        "Whoever passes these files on, whole or in part, passes these attributions on with them.",
        "Tables that start with `fct_` hold the publishers' figures; all others are derived:",
        "cleaned, converted, joined and computed. The publishers have not reviewed them.",
        "",
    ]
    if not inside:
        lines += ["Nothing in these files comes from another publisher.", ""]
    for entry in inside:
        source = entry.source
        licence = source.licence
        named = f"[{licence.name}]({licence.url})" if licence.url else licence.name
        lines += [
            f"## {source.title}",
            "",
            f"- Publisher: {source.publisher}",
            f"- Home page: <{source.homepage}>",
            f"- Licence: {named}",
            f"- Attribution: {' '.join(licence.attribution.split())}",
        ]
        lines += [f"- Cite as: {' '.join(text.split())}" for text in entry.citations]
        if entry.edition_ids:
            told = ", ".join(f"`{edition}`" for edition in entry.edition_ids)
            lines.append(f"- Editions: {told}")
        lines.append("")
    return "\n".join(lines)
