"""Names of columns in the layouts of UN Comtrade, and what each means.

One vocabulary serves all: the field names of the API (version 1), compared without regard to case
(``cifvalue`` in answers, ``cifValue`` in the list of data items). The legacy spreadsheet of the
former portal and a nine-column extract are renamed to it.
"""

from __future__ import annotations

__all__ = [
    "ANNOTATIONS",
    "API_FIELDS",
    "BREAKDOWN_FIELDS",
    "EXTRACT_FIELDS",
    "LEGACY_FIELDS",
    "REFERENCE_FIELDS",
    "REQUIRED_FIELDS",
    "ROW_CAPS",
    "canonical_header",
]

#: Every field that an answer, a portal export or a bulk file may carry.
API_FIELDS: tuple[str, ...] = (
    "datasetCode",
    "typeCode",
    "freqCode",
    "refPeriodId",
    "refYear",
    "refMonth",
    "period",
    "reporterCode",
    "reporterISO",
    "reporterDesc",
    "flowCategory",
    "flowCode",
    "flowDesc",
    "partnerCode",
    "partnerISO",
    "partnerDesc",
    "partner2Code",
    "partner2ISO",
    "partner2Desc",
    "classificationCode",
    "classificationSearchCode",
    "isOriginalClassification",
    "cmdCode",
    "cmdDesc",
    "aggrLevel",
    "isLeaf",
    "customsCode",
    "customsDesc",
    "mosCode",
    "mosDesc",
    "motCode",
    "motDesc",
    "qtyUnitCode",
    "qtyUnitAbbr",
    "qty",
    "isQtyEstimated",
    "altQtyUnitCode",
    "altQtyUnitAbbr",
    "altQty",
    "isAltQtyEstimated",
    "netWgt",
    "isNetWgtEstimated",
    "grossWgt",
    "isGrossWgtEstimated",
    "cifvalue",
    "fobvalue",
    "primaryValue",
    "legacyEstimationFlag",
    "isReported",
    "isAggregate",
)
#: Without these a row says nothing; the period may stand in ``period`` or ``refYear``.
REQUIRED_FIELDS = ("reporterCode", "partnerCode", "flowCode", "cmdCode", "primaryValue")
#: Numbers of rows at which answers are cut, and by whom.
ROW_CAPS = {
    500: "the keyless preview cuts answers at 500 rows",
    100_000: "a keyed call cuts answers at 100,000 rows",
    250_000: "a keyed call cuts answers at 250,000 rows",
}
#: Fields by which a key is broken down, each with the code of its total.
BREAKDOWN_FIELDS = {"partner2Code": "0", "motCode": "0", "customsCode": "C00", "mosCode": "0"}

#: Columns that extracting scripts put beside the fields; they repeat the query, so nothing of the
#: publisher's is lost when they are passed over.
ANNOTATIONS = frozenset(
    {
        "commodity_name",
        "hs_code",
        "hs_code_queried",
        "hs_description",
        "mineral",
        "query_year",
        "stage",
    }
)

#: The nine-column extract.
EXTRACT_FIELDS = {
    "year": "refYear",
    "reporter": "reporterCode",
    "partner": "partnerCode",
    "cmd": "cmdCode",
    "flow": "flowCode",
    "value": "primaryValue",
    "netwgt": "netWgt",
    "qty": "qty",
    "qtyunit": "qtyUnitCode",
}

#: The spreadsheet of the former portal (35 columns).
LEGACY_FIELDS = {
    "classification": "classificationCode",
    "year": "refYear",
    "period": "period",
    "period desc.": None,
    "aggregate level": "aggrLevel",
    "is leaf code": "isLeaf",
    "trade flow code": "flowCode",
    "trade flow": "flowDesc",
    "reporter code": "reporterCode",
    "reporter": "reporterDesc",
    "reporter iso": "reporterISO",
    "partner code": "partnerCode",
    "partner": "partnerDesc",
    "partner iso": "partnerISO",
    "2nd partner code": "partner2Code",
    "2nd partner": "partner2Desc",
    "2nd partner iso": "partner2ISO",
    "customs proc. code": "customsCode",
    "customs": "customsDesc",
    "mode of transport code": "motCode",
    "mode of transport": "motDesc",
    "commodity code": "cmdCode",
    "commodity": "cmdDesc",
    "qty unit code": "qtyUnitCode",
    "qty unit": "qtyUnitAbbr",
    "qty": "qty",
    "alt qty unit code": "altQtyUnitCode",
    "alt qty unit": "altQtyUnitAbbr",
    "alt qty": "altQty",
    "netweight (kg)": "netWgt",
    "gross weight (kg)": "grossWgt",
    "trade value (us$)": "primaryValue",
    "cif trade value (us$)": "cifvalue",
    "fob trade value (us$)": "fobvalue",
    "flag": "legacyEstimationFlag",
}

#: Sets of columns that tell a list of codes (products, areas, units), not trade.
REFERENCE_FIELDS = (
    {"id", "text"},
    {"id", "country"},
    {"qtycode", "qtyabbr"},
    {"dataitem", "description"},
    {"category", "variable", "fileuri"},
)

_BY_LOWER = {name.lower(): name for name in API_FIELDS}


def canonical_header(names: list[str]) -> tuple[list[str | None], list[str]]:
    """API field of each column (None: nothing of the publisher's), and the names nobody knows.

    >>> canonical_header(["refYear", "CIFValue", "Mineral", "colour"])
    (['refYear', 'cifvalue', None, None], ['colour'])
    >>> canonical_header(["year", "reporter", "partner", "cmd", "flow", "value", "netwgt",
    ...                   "qty", "qtyunit"])[0][:3]
    ['refYear', 'reporterCode', 'partnerCode']
    """
    lower = [name.strip().lower() for name in names]
    if set(lower) == set(EXTRACT_FIELDS):
        return [EXTRACT_FIELDS[name] for name in lower], []
    if "trade flow code" in lower:
        known: dict[str, str | None] = dict(LEGACY_FIELDS)
    else:
        known = {**_BY_LOWER, **dict.fromkeys(ANNOTATIONS)}
    unknown = [shown for shown, name in zip(names, lower, strict=True) if name not in known]
    return [known.get(name) for name in lower], unknown
