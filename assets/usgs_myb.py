"""USGS Minerals Yearbook, rare earths: production, oxide distribution of deposits, prices."""

from assets.publisher import publisher_assets

__all__ = ["usgs_myb"]

usgs_myb = publisher_assets("usgs_myb", group="raw_production")
