from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.errors import BuildFailed
from pipelines.publish.manifest import Gate, read_manifest
from tests.fixtures.publish import sample


@pytest.fixture
def models(tmp_path: Path):
    return read_manifest(sample.write_manifest(tmp_path))


def test_only_models_of_the_released_schema_are_released(models):
    assert "int_production" not in models
    assert list(models) == sorted(models)
    assert models["view_concentration"].is_view
    assert not models["mart_concentration"].is_view


def test_meta_gives_key_and_gate(models):
    assert models["fct_source_cell"].key == ("cell_id",)
    assert models["fct_source_cell"].gate is Gate.EDITION
    assert models["dim_material"].gate is Gate.OPEN
    assert models["mart_ungated"].gate is None


@pytest.mark.parametrize("stated", ["opne", "", None, ["open"], True])
def test_a_gate_that_does_not_exist_is_no_gate(tmp_path, stated):
    document = sample.manifest()
    document["nodes"]["model.monazite.dim_material"]["config"]["meta"]["licence_gate"] = stated
    assert read_manifest(sample.write_manifest(tmp_path, document))["dim_material"].gate is None


def test_sources_are_found_through_intermediate_models(models):
    assert models["mart_concentration"].sources == tuple(sorted(sample.SOURCES))
    assert models["dim_material"].sources == ()


def test_checks_are_told_in_words(models):
    columns = {column.name: column for column in models["mart_concentration"].columns}
    assert columns["hhi"].checks == ("not null",)
    assert columns["row_key"].checks == ("found in dim_material.material",)
    assert models["mart_concentration"].checks == ("grain (columns: row_key, vintage_id)",)


def test_units_come_from_the_yaml_before_the_name(models):
    columns = {column.name: column for column in models["mart_concentration"].columns}
    assert columns["hhi"].unit == "index, 0 to 1"
    assert columns["row_key"].unit is None
    flow = {column.name: column for column in models["fct_trade_flow"].columns}
    assert flow["trade_value_usd"].unit == "US dollars"


@pytest.mark.parametrize(
    ("name", "is_fact"),
    [("fct_x", True), ("mart_x", False), ("dim_x", False), ("ref_x", False), ("other", True)],
)
def test_what_is_no_known_kind_counts_as_fact(tmp_path, name, is_fact):
    document = {"nodes": {f"model.m.{name}": sample._node(name, "table", {})}}
    assert read_manifest(sample.write_manifest(tmp_path, document))[name].is_fact is is_fact


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"nodes": {"a": 1}}', "\0", '{"nodes": 3}'])
def test_a_file_that_is_no_manifest_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "manifest.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BuildFailed, match=r"not a manifest.*manifest\.json") as caught:
        read_manifest(path)
    assert "\n" not in str(caught.value)


def test_a_missing_manifest_says_what_to_do(tmp_path):
    with pytest.raises(BuildFailed, match="run dbt first"):
        read_manifest(tmp_path / "manifest.json")


def test_meta_beside_config_is_read_too(tmp_path):
    node = sample._node("dim_x", "table", {})
    node["meta"] = {"key": "x", "licence_gate": "open"}
    path = sample.write_manifest(tmp_path, json.loads(json.dumps({"nodes": {"model.m.x": node}})))
    model = read_manifest(path)["dim_x"]
    assert model.key == ("x",)
    assert model.gate is Gate.OPEN
