"""Many rows at once are the same rows as one by one, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Table, func, select
from sqlalchemy.exc import IntegrityError

from monitor.model import Instant
from monitor.store.at_once import TOGETHER, insert_rows
from monitor.store.engine import Engine, reading, writing
from monitor.store.tables import case_, feed_gap, message

MANY = 2 * TOGETHER + 7
EARLY: Instant = -1_234_567_890_123_457
NOW: Instant = 1_804_531_620_123_457

COLUMNS = (
    *("kind", "address", "role", "state", "created_at", "message_id", "subject"),
    *("content", "frozen_at", "attempts", "sent_at", "outcome"),
)


def a_message(number: int, name: str) -> tuple[Any, ...]:
    """Every kind of value, some of them what the table would give, some in all rows the same."""
    return (
        *("digest", f"person-{number}@eastshire.police.example", "inspector", "queued"),
        *(
            EARLY + number,
            f"<{name}-{number}@eastshire.police.example>",
            "" if number % 3 else "é\n",
        ),
        *((None, b"", b"\x00\xff")[number % 3], None if number % 2 else NOW + number),
        *(number % 5, None, ""),
    )


def stored(engine: Engine, table: Table, *columns: str) -> list[tuple[Any, ...]]:
    with reading(engine) as connection:
        asked = select(*(table.c[name] for name in columns)).order_by(table.c.id)
        return [tuple(row) for row in connection.execute(asked)]


def test_many_rows_say_what_each_would(engine: Engine) -> None:
    with writing(engine) as connection:
        told = [a_message(number, "together") for number in range(MANY)]
        assert insert_rows(connection, message, COLUMNS, told) == MANY
        for number in range(MANY):
            assert insert_rows(connection, message, COLUMNS, [a_message(number, "each")]) == 1
    told = stored(
        engine, message, *(c.name for c in message.c if c.name not in ("id", "message_id"))
    )
    assert told[:MANY] == told[MANY:]
    assert told[0] != told[1]


def test_values_come_back_as_they_were(engine: Engine) -> None:
    told = [a_message(number, "m") for number in range(MANY)]
    with writing(engine) as connection:
        insert_rows(connection, message, COLUMNS, told)
    assert stored(engine, message, *COLUMNS) == told


def test_known_rows_are_passed_over_and_the_transaction_goes_on(engine: Engine) -> None:
    with writing(engine) as connection:
        insert_rows(connection, case_, ("reference",), [(f"PPN-{n}",) for n in range(0, MANY, 2)])
        added = insert_rows(connection, case_, ("reference",), [(f"PPN-{n}",) for n in range(MANY)])
        assert added == MANY // 2
        insert_rows(connection, case_, ("reference",), [("PPN-last",)])
    assert len(stored(engine, case_, "reference")) == MANY + 1


def test_a_row_that_comes_twice_is_written_once(engine: Engine) -> None:
    rows = [("occurrence", NOW + n % 5) for n in range(MANY)]
    with writing(engine) as connection:
        assert insert_rows(connection, feed_gap, ("feed", "silent_from"), rows) == 5
        assert connection.scalar(select(func.count()).select_from(feed_gap)) == 5


def test_a_row_that_breaks_a_rule_is_refused_with_all(engine: Engine) -> None:
    told = [a_message(number, "m") for number in range(MANY)]
    told[MANY // 2] = (*told[MANY // 2][:3], "lost", *told[MANY // 2][4:])
    with pytest.raises(IntegrityError), writing(engine) as connection:
        insert_rows(connection, message, COLUMNS, told)
    assert stored(engine, message, "id") == []


def test_nothing_is_no_statement(engine: Engine) -> None:
    with writing(engine) as connection:
        assert insert_rows(connection, case_, ("reference",), []) == 0
