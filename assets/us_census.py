"""US trade as the Census Bureau publishes it."""

from assets.publisher import publisher_assets

__all__ = ["us_census"]

us_census = publisher_assets("us_census", group="raw_trade")
