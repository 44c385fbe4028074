"""Japan's trade as its customs publish it."""

from assets.publisher import publisher_assets

__all__ = ["jp_customs"]

jp_customs = publisher_assets("jp_customs", group="raw_trade")
