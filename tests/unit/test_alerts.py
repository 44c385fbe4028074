"""Alerts reach the channels that are chosen, and a failed delivery breaks nothing."""

from __future__ import annotations

import pytest

from pipelines.alerts import (
    Alert,
    AlertSettings,
    Event,
    newly_stale,
    read_alert_settings,
    send,
)
from pipelines.errors import UsageError
from pipelines.settings import Settings
from tests.support.listeners import listening_for_mail, listening_for_posts

FAILED = Alert(Event.RUN_FAILED, "nightly failed", "step release failed: disk is full")
MADE = Alert(Event.RELEASE_MADE, "release 0123456789ab made")


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(home=tmp_path / "home")


def _log(settings: Settings) -> str:
    path = settings.root / "alerts.log"
    return path.read_text(encoding="utf-8") if path.exists() else ""


def test_log_is_the_channel_where_nothing_is_chosen(settings, monkeypatch):
    monkeypatch.delenv("MONAZITE_ALERT_CHANNELS", raising=False)
    assert send(settings, [FAILED]) == []
    assert "run_failed: nightly failed: step release failed: disk is full" in _log(settings)


def test_webhook_gets_event_subject_and_text(settings):
    with listening_for_posts() as (url, came):
        chosen = AlertSettings(channels=("webhook",), webhook=url)
        assert send(settings, [FAILED, MADE], to=chosen) == []
    assert [body["event"] for body in came] == ["run_failed", "release_made"]
    assert came[0]["subject"] == "nightly failed"
    assert "disk is full" in came[0]["text"]


def test_mail_has_subject_and_recipients(settings):
    with listening_for_mail() as (port, came):
        chosen = AlertSettings(
            channels=("mail",),
            mail_to=("duty@example.org", "chief@example.org"),
            smtp_host="127.0.0.1",
            smtp_port=port,
        )
        assert send(settings, [FAILED], to=chosen) == []
    (message,) = came
    assert "Subject: [monazite] nightly failed" in message
    assert "To: duty@example.org, chief@example.org" in message
    assert "disk is full" in message


def test_only_chosen_events_are_told(settings):
    chosen = AlertSettings(events=("run_failed",))
    send(settings, [FAILED, MADE], to=chosen)
    assert "run_failed" in _log(settings)
    assert "release_made" not in _log(settings)


def test_refused_delivery_is_told_without_the_secret_address(settings):
    with listening_for_posts(status=500) as (url, _):
        chosen = AlertSettings(channels=("webhook", "log"), webhook=url)
        (failure,) = send(settings, [FAILED], to=chosen)
    assert "webhook" in failure
    assert "500" in failure
    assert "secret-part" not in failure + _log(settings)
    assert "run_failed: nightly failed" in _log(settings), "the other channel still works"


@pytest.mark.parametrize(
    ("chosen", "lacking"),
    [
        ({"channels": ("webhook",)}, "MONAZITE_ALERT_WEBHOOK is not set"),
        ({"channels": ("mail",)}, "MONAZITE_ALERT_MAIL_TO is not set"),
        (
            {"channels": ("mail",), "mail_to": ("a@example.org",), "smtp_host": "127.0.0.1",
             "smtp_port": 1},
            "refused",
        ),
    ],
)  # fmt: skip
def test_incomplete_settings_and_dead_servers_are_said(settings, chosen, lacking):
    (failure,) = send(settings, [FAILED], to=AlertSettings(**chosen))
    assert lacking in failure


def test_channels_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("MONAZITE_ALERT_CHANNELS", '["log", "webhook"]')
    monkeypatch.setenv("MONAZITE_ALERT_WEBHOOK", "https://example.org/hook")
    chosen = AlertSettings()
    assert [str(c) for c in chosen.channels] == ["log", "webhook"]
    assert "example.org" not in repr(chosen), "the address is a secret"


def test_settings_come_from_the_file_and_secrets_do_not(monkeypatch, tmp_path):
    monkeypatch.setattr("pipelines.alerts.PROJECT_ROOT", tmp_path)
    file = tmp_path / "monazite.toml"
    file.write_text('[alerts]\nmail_to = ["duty@example.org"]\n', encoding="utf-8")
    assert AlertSettings().mail_to == ("duty@example.org",)
    file.write_text('[alerts]\nwebhook = "https://example.org/hook"\n', encoding="utf-8")
    with pytest.raises(UsageError, match="MONAZITE_ALERT_WEBHOOK"):
        AlertSettings()


def test_a_stale_source_is_told_once_and_again_after_it_recovered(settings):
    first = newly_stale(settings, {"usgs_mcs": "failing since 2026-11-20: silent"})
    assert [a.subject for a in first] == ["usgs_mcs is stale"]
    assert newly_stale(settings, {"usgs_mcs": "failing since 2026-11-20: silent"}) == []
    assert newly_stale(settings, {}) == []
    assert len(newly_stale(settings, {"usgs_mcs": "failing since 2026-11-24: silent"})) == 1


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("CHANNELS", '["pigeon"]', "setting channels_0 cannot be 'pigeon'"),
        ("CHANNELS", "log", "settings cannot be read"),
        ("SMTP_PORT", "none", "mend MONAZITE_ALERT_SMTP_PORT"),
    ],
)
def test_settings_that_cannot_be_are_told_in_one_line(monkeypatch, name, value, told):
    monkeypatch.setenv(f"MONAZITE_ALERT_{name}", value)
    with pytest.raises(UsageError) as refused:
        read_alert_settings()
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)
