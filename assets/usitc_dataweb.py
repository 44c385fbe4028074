"""USITC DataWeb: trade of the United States."""

from assets.publisher import publisher_assets

__all__ = ["usitc_dataweb"]

usitc_dataweb = publisher_assets("usitc_dataweb", group="raw_trade")
