"""World Bank governance indicators."""

from assets.publisher import publisher_assets

__all__ = ["wb_wgi"]

wb_wgi = publisher_assets("wb_wgi", group="raw_reference")
