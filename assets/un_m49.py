"""UN M49 areas."""

from assets.publisher import publisher_assets

__all__ = ["un_m49"]

un_m49 = publisher_assets("un_m49", group="raw_reference")
