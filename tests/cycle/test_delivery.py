"""How long a mail waits to be tried again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.cycle.books import FIRST_RETRY, LONGEST_RETRY, retry_after
from monitor.model import MINUTE


@given(st.integers(1, 10_000))
def test_a_retry_waits_longer_each_time_and_never_much_over_an_hour(attempts: int) -> None:
    """Twice as long each time, a quarter more or less, capped; however often it failed."""
    planned = min(FIRST_RETRY * 2 ** min(attempts - 1, 20), LONGEST_RETRY)
    assert 0.75 * planned <= retry_after(attempts) <= 1.25 * planned


def test_mails_that_failed_together_do_not_all_come_back_together() -> None:
    """The jitter spreads them."""
    assert len({retry_after(3) // MINUTE for _ in range(200)}) > 1
