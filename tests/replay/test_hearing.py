"""When a feed is heard."""

from __future__ import annotations

from monitor.model import HOUR, MINUTE
from monitor.replay.hearing import ALWAYS_HEARD, Hearing, Silence, Source

T = 1_000 * HOUR


def test_a_feed_that_is_always_heard_is_no_reason_to_wait() -> None:
    assert ALWAYS_HEARD.at(T) == {}
    assert ALWAYS_HEARD.next_at("sending-log", T) is None
    plain = Source().heard(T)
    assert (plain.last_heard_at, plain.trusted_until) == (T, None)


def test_an_extract_is_heard_by_its_timetable() -> None:
    hourly = Source(every=HOUR, first_at=T + 30 * MINUTE, lag=70 * MINUTE)
    heard = hourly.heard(T + 2 * HOUR)
    assert heard.last_heard_at == T + 90 * MINUTE
    assert heard.trusted_until == T + 90 * MINUTE + HOUR + 70 * MINUTE
    assert hourly.next_at(T + 90 * MINUTE) == T + 150 * MINUTE
    assert hourly.next_at(T + 90 * MINUTE - 1) == T + 90 * MINUTE


def test_a_silence_ends_when_it_is_heard_again() -> None:
    silent = Source(silences=(Silence(T, T + 5 * HOUR),))
    assert silent.heard(T + HOUR).last_heard_at == T
    assert silent.heard(T + HOUR).trusted_until == T
    assert silent.next_at(T + HOUR) == T + 5 * HOUR
    assert silent.heard(T + 5 * HOUR).last_heard_at == T + 5 * HOUR
    assert silent.heard(T + 6 * HOUR).back_at == T + 5 * HOUR


def test_an_extract_that_was_silent_is_heard_at_its_next_time() -> None:
    hourly = Source(every=HOUR, silences=(Silence(T, T + 90 * MINUTE),))
    assert hourly.heard(T + 100 * MINUTE).last_heard_at == T
    assert hourly.next_at(T) == T + 2 * HOUR


def test_a_silence_that_goes_on_has_no_end() -> None:
    hearing = Hearing(sources={"log": Source(silences=(Silence(T, None),))})
    assert hearing.next_at("log", T + HOUR) is None
    assert hearing.at(T + HOUR)["log"].back_at is None
