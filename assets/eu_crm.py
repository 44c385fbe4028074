"""EU study on critical raw materials: supply shares by element and stage, criticality."""

from assets.publisher import publisher_assets

__all__ = ["eu_crm"]

eu_crm = publisher_assets("eu_crm", group="raw_production")
