"""British Geological Survey: production of minerals by country."""

from assets.publisher import publisher_assets

__all__ = ["bgs_wms"]

bgs_wms = publisher_assets("bgs_wms", group="raw_production")
