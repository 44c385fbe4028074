"""UK trade as HM Revenue and Customs publishes it."""

from assets.publisher import publisher_assets

__all__ = ["uk_hmrc"]

uk_hmrc = publisher_assets("uk_hmrc", group="raw_trade")
