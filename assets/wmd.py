"""World Mining Data: production of countries by mineral."""

from assets.publisher import publisher_assets

__all__ = ["wmd"]

wmd = publisher_assets("wmd", group="raw_production")
