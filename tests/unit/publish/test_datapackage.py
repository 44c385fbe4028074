"""The descriptor against the text of the Data Package standard, version 2."""

from __future__ import annotations

import hashlib
import json
import re

import duckdb
import pytest

from pipelines.publish import datapackage
from pipelines.publish.datapackage import field_type

#: Field types of the Table Schema and the properties that each may need.
FIELD_TYPES = {
    "string", "number", "integer", "boolean", "object", "array", "list", "datetime", "date",
    "time", "duration", "any",
}  # fmt: skip
ITEM_TYPES = {"string", "integer", "boolean", "number", "datetime", "date", "time"}
#: A relative POSIX path below the descriptor, or a full URL.
PATH = re.compile(r"^(?!/|~|\.|file:)(?:https?://.+|(?!.*://)(?!.*\.\./)(?!.*\\).+)$")


@pytest.fixture(scope="module")
def package(released):
    return json.loads((released.public / "datapackage.json").read_text("utf-8"))


def test_the_package_has_what_the_standard_asks_for(package):
    assert package["$schema"] == "https://datapackage.org/profiles/2.0/datapackage.json"
    assert re.fullmatch(r"[-a-z0-9._]+", package["name"])
    assert package["resources"]
    for licence in package["licenses"]:
        assert PATH.match(licence["path"])
        assert licence["title"]
    for source in package["sources"]:
        assert source["title"]
        assert PATH.match(source["path"])
        assert source["attribution"]
        assert source["citations"]
        assert isinstance(source["version"], str)


def test_it_holds_no_clock_time(package):
    assert "created" not in package
    assert package["version"] == "00000000000a"


def test_every_resource_describes_its_file(package, released):
    names = [resource["name"] for resource in package["resources"]]
    assert len(set(names)) == len(names)
    files = {f"parquet/{path.name}" for path in (released.public / "parquet").iterdir()}
    assert {resource["path"] for resource in package["resources"]} == files
    for resource in package["resources"]:
        content = (released.public / resource["path"]).read_bytes()
        assert PATH.match(resource["path"])
        assert resource["type"] == "table"
        assert resource["format"] == "parquet"
        assert resource["mediatype"] == "application/vnd.apache.parquet"
        assert resource["bytes"] == len(content)
        assert resource["hash"] == f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_every_schema_fits_its_file(package, released):
    for resource in package["resources"]:
        path = released.public / resource["path"]
        described = duckdb.sql(f"DESCRIBE SELECT * FROM '{path}'").fetchall()
        schema = resource["schema"]
        fields = schema["fields"]
        assert [field["name"] for field in fields] == [row[0] for row in described]
        for field, (_, data_type, *_) in zip(fields, described, strict=True):
            assert field["type"] in FIELD_TYPES
            assert ("itemType" in field) == (field["type"] == "list")
            assert field.get("itemType", "string") in ITEM_TYPES
            assert field_type(data_type).items() <= field.items()
        assert schema["missingValues"] == []
        keys = schema.get("uniqueKeys", [schema.get("primaryKey")])
        for key in keys:
            assert set(key) <= {field["name"] for field in fields}
            columns = ", ".join(f'"{column}"' for column in key)
            query = f"SELECT count(*), count(DISTINCT ({columns})) FROM '{path}'"
            assert len(set(duckdb.sql(query).fetchall()[0])) == 1


def test_a_key_with_nulls_is_no_primary_key(package):
    schemas = {resource["name"]: resource["schema"] for resource in package["resources"]}
    assert "primaryKey" not in schemas["mart_provenance"]
    assert schemas["mart_provenance"]["uniqueKeys"]
    assert schemas["mart_concentration"]["primaryKey"] == ["row_key"]


def test_descriptions_and_units_reach_the_fields(package):
    resources = {resource["name"]: resource for resource in package["resources"]}
    fields = {f["name"]: f for f in resources["mart_concentration"]["schema"]["fields"]}
    assert fields["hhi"]["unit"] == "index, 0 to 1"
    assert fields["hhi"]["description"].startswith("Sum of squared shares")
    assert resources["mart_concentration"]["description"] == "Rows of mart_concentration."


def test_resources_name_the_sources_that_are_in_them(package):
    resources = {resource["name"]: resource for resource in package["resources"]}
    assert resources["dim_material"]["sources"] == []
    facts = [source["title"] for source in resources["fct_source_cell"]["sources"]]
    assert facts == ["Title of alpha mines", "Title of beta flows"]


@pytest.mark.parametrize(
    ("data_type", "expected"),
    [
        ("VARCHAR", {"type": "string"}),
        ("ENUM('a', 'b')", {"type": "string"}),
        ("BIGINT", {"type": "integer"}),
        ("HUGEINT", {"type": "integer"}),
        ("DECIMAL(18,3)", {"type": "number"}),
        ("DECIMAL(38,0)", {"type": "integer"}),
        ("DOUBLE", {"type": "number"}),
        ("BOOLEAN", {"type": "boolean"}),
        ("DATE", {"type": "date"}),
        ("TIMESTAMP", {"type": "datetime"}),
        ("TIMESTAMP WITH TIME ZONE", {"type": "datetime"}),
        ("VARCHAR[]", {"type": "list", "itemType": "string"}),
        ("DOUBLE[3]", {"type": "list", "itemType": "number"}),
        ("VARCHAR[][]", {"type": "array"}),
        ("STRUCT(a INTEGER)[]", {"type": "array"}),
        ("STRUCT(a INTEGER[])", {"type": "object"}),
        ("MAP(VARCHAR, DOUBLE)", {"type": "object"}),
        ("BLOB", {"type": "any"}),
        ("JSON", {"type": "any"}),
    ],
)
def test_types_are_told_in_the_words_of_the_table_schema(data_type, expected):
    assert field_type(data_type) == expected


def test_a_package_without_sources_names_none():
    document = datapackage.descriptor("00000000000a", [], [])
    assert "sources" not in document
    assert [licence["path"] for licence in document["licenses"]] == ["LICENCES.md"]
