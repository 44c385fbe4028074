"""Harmonized System: codes by revision and conversions."""

from assets.publisher import publisher_assets

__all__ = ["unsd_hs"]

unsd_hs = publisher_assets("unsd_hs", group="raw_reference")
