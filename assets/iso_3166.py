"""ISO 3166-1 country codes."""

from assets.publisher import publisher_assets

__all__ = ["iso_3166"]

iso_3166 = publisher_assets("iso_3166", group="raw_reference")
