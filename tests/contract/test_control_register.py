"""The register of controls and agreements holds the events that the method lists."""

from __future__ import annotations

import csv
import re

import pytest

from pipelines.sources.label_maps import read_reference

pytestmark = pytest.mark.reference


def test_every_dated_event_of_the_method_is_held(reference_data):
    path = reference_data / "method" / "events.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        events = list(csv.DictReader(stream))
    held = {
        *read_reference("ref_control_event")["announced_date"],
        *read_reference("ref_control_status")["valid_from"],
        *read_reference("ref_agreement")["dated"],
    }
    dated = [
        event
        for event in events
        # A day that its own note calls own knowledge is no test.
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", event["event_date"])
        and "own knowledge" not in event["description"]
    ]
    assert len(dated) >= 11
    missing = [event["event_id"] for event in dated if event["event_date"] not in held]
    assert missing == []


def test_days_on_which_suspensions_end_are_those_of_the_method(reference_data):
    path = reference_data / "method" / "events.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        ends = {e["end_date"] for e in csv.DictReader(stream) if e["event_type"] == "suspension"}
    states = read_reference("ref_control_status")
    held = set(states.filter(states["status"] == "suspended")["expiry_date"])
    assert held == ends == {"2026-11-10", "2026-11-27"}
