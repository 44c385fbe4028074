"""CEPII BACI: reconciled bilateral trade."""

from assets.publisher import publisher_assets

__all__ = ["cepii_baci"]

cepii_baci = publisher_assets("cepii_baci", group="raw_trade")
