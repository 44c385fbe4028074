"""Write the starter again from the publishers' documents.

``python -m starter.build [--originals DIR] [SOURCE ...]``; DIR is a folder of original documents
(``MONAZITE_REFERENCE_DATA``, else ``shared/data`` beside the project). The same originals give
the same bytes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from importlib import import_module
from pathlib import Path

from pipelines.settings import PROJECT_ROOT

__all__ = ["SOURCES", "build", "main"]

#: Sources whose terms allow their figures to be passed on, and that have a writer.
SOURCES = (
    "usgs_mcs",
    "usgs_myb",
    "eu_crm",
    "iea_cm",
    "cepii_baci",
    "usitc_dataweb",
    "wb_wgi",
    "unsd_hs",
)


def build(originals: Path, starter: Path, sources: tuple[str, ...] = SOURCES) -> dict[str, int]:
    """Write the sources' folders below ``starter`` anew; size of each in bytes."""
    sizes = {}
    for source in sources:
        folder = starter / source
        shutil.rmtree(folder, ignore_errors=True)
        import_module(f"starter.writers.{source}").write(originals, folder)
        sizes[source] = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    return sizes


def main(arguments: list[str] | None = None) -> int:
    """Command line of this module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--originals",
        type=Path,
        default=Path(
            os.environ.get("MONAZITE_REFERENCE_DATA", PROJECT_ROOT.parent / "shared" / "data")
        ),
    )
    parser.add_argument("sources", nargs="*", default=SOURCES)
    options = parser.parse_args(arguments)
    if not options.originals.is_dir():
        sys.stderr.write(f"no originals at {options.originals}; name their folder by --originals\n")
        return 2
    sizes = build(options.originals, PROJECT_ROOT / "starter", tuple(options.sources))
    for source, size in sizes.items():
        sys.stdout.write(f"{source:15} {size:>12,} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
