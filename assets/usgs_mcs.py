"""USGS Mineral Commodity Summaries: world production, US salient statistics, import sources."""

from assets.publisher import publisher_assets

__all__ = ["usgs_mcs"]

usgs_mcs = publisher_assets("usgs_mcs", group="raw_production")
