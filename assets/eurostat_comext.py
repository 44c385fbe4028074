"""Eurostat: trade of the EU's members by code of the Combined Nomenclature."""

from assets.publisher import publisher_assets

__all__ = ["eurostat_comext"]

eurostat_comext = publisher_assets("eurostat_comext", group="raw_trade")
