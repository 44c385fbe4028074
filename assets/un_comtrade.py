"""UN Comtrade: trade as reporters state it."""

from assets.publisher import publisher_assets

__all__ = ["un_comtrade"]

un_comtrade = publisher_assets("un_comtrade", group="raw_trade")
