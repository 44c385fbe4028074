"""IEA critical minerals data: mining and refining by country."""

from assets.publisher import publisher_assets

__all__ = ["iea_cm"]

iea_cm = publisher_assets("iea_cm", group="raw_production")
