"""The watch on the watch: each fault is made real, noticed, told once, shown, and ended.

A story walks only while its stages do. Here some stage stands still while time passes: `passes`
moves time a minute at a look, with none of the stages but those that are named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import text

from monitor.cycle.delivery import bundle, deliver
from monitor.cycle.intake import assess_dirty
from monitor.cycle.sweep import sweep
from monitor.cycle.watch import all_is_well, look
from monitor.cycle.watched import Watched
from monitor.deliver.smtp import Post
from monitor.escalate.watch import KINDS
from monitor.model import DAY, HOUR, MINUTE, Duration, WatchFault
from monitor.store import actions, cases, intakes, mailbox, outbox, watch
from monitor.store.engine import reading, writing
from tests.deliver.sink import Sink, running
from tests.stories.conftest import Begin
from tests.stories.harness import Arrived, Story

ON_BOTH = pytest.mark.parametrize("database", ["sqlite", "postgresql"])
CASE = "PPN-2027-004211"
MORNING = "Mon 8 March 2027 09:00"


@pytest.fixture
def story(begin: Begin) -> Story:
    """A child at risk, of whom nobody was told yet; a warning is due at 12:00."""
    story = begin(MORNING)
    story.contact(CASE, category="physical_abuse")
    story.advance(to="10:00")
    return story


def passes(
    story: Story,
    duration: Duration,
    *stages: Callable[..., object],
    delivers: bool = True,
    every: Duration = MINUTE,
) -> None:
    """Time passes, a minute at a look; only these stages turn, and mail goes out."""
    until = story.now + duration
    while story.now < until:
        story.now += every
        for stage in stages:
            stage(story.monitor, now=story.now)
        looks(story, delivers=delivers)


def looks(story: Story, *, delivers: bool = True) -> None:
    look(story.monitor, now=story.now)
    story._inbox.now = story.now
    if delivers:
        story._runner.run(deliver(story.monitor, now=story.now))
    story._unexpected += story._inbox.arrived
    story._inbox.arrived.clear()


def standing(story: Story) -> list[WatchFault]:
    with reading(story.monitor.engine) as connection:
        return watch.open_faults(connection)


def kinds(story: Story) -> set[str]:
    return {fault.what.partition(":")[0] for fault in standing(story)}


def shows(story: Story, words: str) -> bool:
    """Whether `monitor status` says it, and would exit 1."""
    return any(words in fault for fault in story.status().service_faults)


def told_once(story: Story, saying: str) -> Arrived:
    mail = story.expects_mail_to("operator", saying=saying)
    story.expects_no_more_mail()
    return mail


@contextmanager
def own_route(story: Story) -> Iterator[None]:
    """The operator has a relay of its own, and it works."""
    story.monitor = replace(story.monitor, operator_post=Post(story._server))
    yield
    assert story.monitor.operator_post is not None
    story._runner.run(story.monitor.operator_post.close())
    story.monitor = replace(story.monitor, operator_post=None)


def change(story: Story, statement: str, **values: object) -> None:
    """Damage."""
    with writing(story.monitor.engine) as connection:
        connection.execute(text(statement), values)


# -- all is well ------------------------------------------------------------------------------


@ON_BOTH
def test_a_quiet_day_has_no_fault(story: Story) -> None:
    """Every stage turns: nothing is told, nothing is kept, all is well."""
    passes(story, 90 * MINUTE, assess_dirty, sweep, every=10 * MINUTE)
    assert standing(story) == []
    assert all_is_well(story.monitor)
    status = story.status()
    assert status.service is not None
    assert status.service.watch == ()
    story.expects_no_more_mail()
    story.told("council", "eastshire")


# -- clocks and cases -------------------------------------------------------------------------


@ON_BOTH
def test_a_sweep_that_stands_still(story: Story) -> None:
    """A warning falls due at 12:00 and nobody decides it."""
    passes(story, 2 * HOUR, every=30 * MINUTE)
    story.advance(to="12:00")
    story.expects_mail_to("submitting officer's sergeant", saying="Due by 13:00")
    passes(story, 65 * MINUTE, every=13 * MINUTE)
    assert kinds(story) == set()
    passes(story, 20 * MINUTE, every=4 * MINUTE)
    assert kinds(story) == {"late"}
    mail = told_once(story, "clocks are not decided in time")
    assert "1 clock should have been decided" in mail.text
    assert "DO NOW: Restart the service" in mail.text
    assert shows(story, "1 clock should have been decided")
    assert not all_is_well(story.monitor)
    story.told("council", "eastshire", occurred="12:30")
    story.again()
    assert kinds(story) == set()
    assert not shows(story, "clock")
    assert all_is_well(story.monitor)


def test_work_that_goes_on_is_no_fault(story: Story) -> None:
    """Learnt late again and again: something is always hours past, and never the same."""
    for number in range(12):
        at, revision = story.now - HOUR, 100 + number
        given = {"at": at, "revision": revision}
        change(story, "UPDATE clock SET next_action_at = :at, revision = :revision", **given)
        passes(story, 2 * MINUTE)
    assert kinds(story) == set()


@ON_BOTH
def test_an_open_clock_without_a_next_step(story: Story) -> None:
    """It would never be told of. It is noticed, told, and put before the assessment again."""
    change(story, "UPDATE clock SET next_action_at = NULL")
    looks(story)
    assert kinds(story) == {"unset"}
    told_once(story, "open clocks had no next step")
    assert shows(story, "had no next step")
    story.advance(to="12:01")
    story.expects_mail_to("submitting officer's sergeant", saying="Due by 13:00")
    assert kinds(story) == set()
    story.told("council", "eastshire")


def test_clocks_are_looked_through_in_slices(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look goes on where the one before ended; at the end from the first again."""
    monkeypatch.setattr("monitor.cycle.watch.CLOCKS_AT_A_LOOK", 1)
    with reading(story.monitor.engine) as connection:
        last = connection.scalar(text("SELECT max(id) FROM clock"))
    assert last > 2
    story.monitor = replace(story.monitor, watched=Watched())
    seen = []
    for _ in range(last):
        assert not story.monitor.watched.was_round
        look(story.monitor, now=story.now)
        seen.append(story.monitor.watched.upto)
    assert seen == [*range(1, last), 0]
    assert story.monitor.watched.was_round
    story.told("council", "eastshire")


@ON_BOTH
def test_a_changed_case_that_nobody_assesses(story: Story) -> None:
    with writing(story.monitor.engine) as connection:
        cases.mark_dirty(connection, [1])
    passes(story, 4 * MINUTE)
    assert kinds(story) == set()
    passes(story, 10 * MINUTE)
    assert kinds(story) == {"unassessed"}
    told_once(story, "changed cases are not assessed")
    assert shows(story, "1 case changed and not assessed")
    passes(story, MINUTE, assess_dirty)
    assert kinds(story) == set()
    story.told("council", "eastshire")


# -- mail -------------------------------------------------------------------------------------


def closed_post(story: Story) -> Post:
    """A relay at which nobody listens."""
    return Post(replace(story._server, port=1))


@ON_BOTH
def test_a_relay_that_is_not_there_is_told_by_another(story: Story) -> None:
    """The own route reaches the operator while nothing else goes out."""
    working = story.monitor.post
    with own_route(story):
        story.monitor = replace(story.monitor, post=closed_post(story))
        passes(story, 160 * MINUTE, sweep, every=4 * MINUTE)
        assert kinds(story) == {"relay"}
        mail = told_once(story, "no mail is taken by the mail server")
        assert "DO NOW" in mail.text
        assert shows(story, "no mail goes out by the relay")
        story.monitor = replace(story.monitor, post=working)
        passes(story, 10 * MINUTE, sweep)
        assert kinds(story) == set()
        story.expects_mail_to("submitting officer's sergeant", saying="Due by 13:00")
    story.told("council", "eastshire")


def test_a_relay_that_is_not_there_makes_no_mail_that_would_lie_in_its_queue(story: Story) -> None:
    """Without another route the status, the log and the switch say it; no stale mail follows."""
    working = story.monitor.post
    story.monitor = replace(story.monitor, post=closed_post(story))
    passes(story, 160 * MINUTE, sweep, every=4 * MINUTE)
    assert kinds(story) == {"relay"}
    assert not all_is_well(story.monitor)
    story.monitor = replace(story.monitor, post=working)
    passes(story, 10 * MINUTE, sweep)
    assert kinds(story) == set()
    story.expects_mail_to("submitting officer's sergeant", saying="Due by 13:00")
    story.expects_no_more_mail()
    story.told("council", "eastshire")


def test_mail_that_is_not_taken(story: Story) -> None:
    """The server answers, and says not now to every mail."""

    async def refuses() -> None:
        sink = Sink(rcpt_answers=["451 not now"] * 100)
        async with running(sink) as port:
            server = replace(story._server, port=port)
            story.monitor = replace(story.monitor, post=Post(server))
            for _ in range(60):
                story.now += 3 * MINUTE
                sweep(story.monitor, now=story.now)
                look(story.monitor, now=story.now)
                story._inbox.now = story.now
                await deliver(story.monitor, now=story.now)
            await story.monitor.post.close()

    working = story.monitor.post
    with own_route(story):
        story._runner.run(refuses())
        story._unexpected += story._inbox.arrived
        story._inbox.arrived.clear()
        assert "not taken" in kinds(story)
        mail = told_once(story, "mail is not taken")
        assert "1 mail not taken" in mail.text
        assert shows(story, "1 mail not taken, the oldest for")
        story.monitor = replace(story.monitor, post=working)
        passes(story, 65 * MINUTE, sweep)
        assert kinds(story) == set()
        story.expects_mail_to("submitting officer's sergeant", saying="Due by 13:00")
        story._unexpected.clear()
    story.told("council", "eastshire")


@ON_BOTH
def test_mail_that_nobody_sends(story: Story) -> None:
    """The sweep turns and delivery does not."""
    story.advance(to="11:55")
    story.now += 6 * MINUTE
    sweep(story.monitor, now=story.now)

    bundle(story.monitor, now=story.now)
    passes(story, 15 * MINUTE, delivers=False)
    assert kinds(story) == {"unclaimed"}
    assert shows(story, "1 mail that nobody sends")
    passes(story, 2 * MINUTE)
    story.expects_mail_to("submitting officer's sergeant", saying="Due by 13:00")
    told_once(story, "mail waits that nobody sends")
    assert kinds(story) == set()
    story.told("council", "eastshire")


@ON_BOTH
def test_a_mail_that_is_taken_in_hand_again_and_again(story: Story) -> None:
    """Whoever takes it dies before an outcome: its lease lapses, and the next one takes it."""
    story.advance(to="11:55")
    story.now += 6 * MINUTE
    sweep(story.monitor, now=story.now)
    bundle(story.monitor, now=story.now)
    for _ in range(15):
        story.now += MINUTE
        with writing(story.monitor.engine) as connection:
            outbox.claim_messages(connection, now=story.now, lease=0, limit=1, node="dies")
        looks(story, delivers=False)
    assert kinds(story) == {"no outcome"}
    assert shows(story, "1 mail in hand")
    passes(story, 2 * MINUTE)
    story.expects_mail_to("submitting officer's sergeant", saying="Due by 13:00")
    told_once(story, "a mail never comes to an end")
    assert kinds(story) == set()
    story.told("council", "eastshire")


def test_a_mail_that_is_given_up(story: Story) -> None:
    """The relay refuses its recipient for good; the operator is told for a week at most."""

    async def refuses() -> None:
        async with running(Sink(rcpt_answers=["550 5.1.1 nobody"])) as port:
            story.monitor = replace(story.monitor, post=Post(replace(story._server, port=port)))
            await deliver(story.monitor, now=story.now)
            await story.monitor.post.close()

    working = story.monitor.post
    story.advance(to="11:55")
    story.now += 6 * MINUTE
    sweep(story.monitor, now=story.now)
    story._runner.run(refuses())
    story.monitor = replace(story.monitor, post=working)
    passes(story, 20 * MINUTE)
    assert "dead" in kinds(story)
    mail = told_once(story, "mail will not be tried again")
    assert "550" in mail.text
    assert shows(story, "1 mails could not be sent")
    assert all_is_well(story.monitor), "no reason to wake anybody outside"
    story.told("council", "eastshire", occurred="10:30")
    story.now += 8 * DAY
    looks(story)
    assert "dead" not in kinds(story)
    story._unexpected.clear()


def test_mail_that_is_held_for_more_than_a_day(story: Story) -> None:
    """Told by the operator's own route, which is never held."""
    with own_route(story):
        story.told("council", "eastshire")
        story.again()
        story.hold_mail()
        story.advance(to="Tue 09:55")
        assert kinds(story) == set()
        story.advance(to="Tue 10:30")
        looks(story)
        assert kinds(story) == {"held"}
        mail = told_once(story, "all mail is held")
        assert "monitor mail release" in mail.text
        assert shows(story, "all mail is held")
        story.release_mail()
        looks(story)
        assert kinds(story) == set()


def test_an_address_to_which_mail_bounces(story: Story) -> None:
    """Whoever read the bounce told the operator at once; here it is told that it goes on."""
    story.advance(to="12:01")
    sergeant = story.expects_mail_to("submitting officer's sergeant", saying="Due by 13:00")
    story.told("council", "eastshire")
    story.again()
    with writing(story.monitor.engine) as connection:
        mailbox.flag_address(connection, sergeant.to, status="5.1.1", message_id=1, now=story.now)
    passes(story, 2 * MINUTE)
    assert kinds(story) == {"bouncing"}
    assert "@" not in standing(story)[0].detail
    assert shows(story, "bounces")
    story.expects_no_more_mail()
    story.now += 7 * DAY
    looks(story)
    told_once(story, "still: mail to somebody bounces")
    with writing(story.monitor.engine) as connection:
        mailbox.clear_flag(connection, sergeant.to, now=story.now)
    looks(story)
    assert kinds(story) == set()


# -- people, digests, files -------------------------------------------------------------------


def test_an_alert_that_found_nobody(story: Story) -> None:
    story.post_is_vacant("submitting_sergeant", no_cover=True)
    story.advance(to="12:10")
    story.expects_mail_to("force incident manager", saying="Due by 13:00")
    assert kinds(story) == {"nobody"}
    mail = told_once(story, "alerts found nobody to be told to")
    assert "config/recipients.toml" in mail.text
    assert shows(story, "1 alert of the last day found nobody")
    story.told("council", "eastshire")
    story.again()
    assert kinds(story) == set()


def test_a_digest_that_is_missed(begin: Begin) -> None:
    """Due on Monday at 08:00; whatever makes it does not turn."""
    story = begin("Wed 10 March 2027 09:00", digests=True)
    story.contact(CASE, category="physical_abuse")
    story.told("council", "eastshire")
    story.told("health", "eastshire-icb")
    story.advance(to="Mon 15 March 07:50")
    passes(story, 12 * MINUTE)
    assert kinds(story) == set()
    passes(story, 12 * MINUTE)
    assert kinds(story) == {"digest"}
    mail = told_once(story, "a weekly digest was not made")
    assert "monitor digest --send" in mail.text
    assert shows(story, "the digest of week 2027-W10 was due at 08:00")
    story.again()
    assert kinds(story) == set()
    story._unexpected.clear()


@ON_BOTH
def test_a_file_that_is_not_read_on(story: Story) -> None:
    """Somebody began it and died, and the file is not there any more."""
    with writing(story.monitor.engine) as connection:
        begun = intakes.open_intake(
            connection,
            feed_name="occurrence",
            file_name="lost.csv",
            file_digest=b"1" * 16,
            mapping_digest="",
            now=story.now,
        )
    passes(story, 4 * MINUTE)
    assert kinds(story) == set()
    passes(story, 4 * MINUTE)
    assert kinds(story) == {"intake"}
    told_once(story, "a file is not read on")
    assert shows(story, "of feed occurrence is read to row 0 and not further")
    with writing(story.monitor.engine) as connection:
        intakes.add_progress(connection, begun.id, rows_read=20)
    looks(story)
    assert kinds(story) == {"intake"}, "it moved: nothing new is told, nothing has ended yet"
    with writing(story.monitor.engine) as connection:
        intakes.finish_intake(
            connection, begun.id, state="done", dropped_columns={}, vanished=0, now=story.now
        )
    looks(story)
    assert kinds(story) == set()
    story.told("council", "eastshire")


# -- nodes and loops --------------------------------------------------------------------------


def turned(story: Story, node: str, outcome: str = "0 files", *loops: str) -> None:
    with writing(story.monitor.engine) as connection:
        for loop in loops or ("intake", "sweep", "delivery", "upkeep"):
            actions.record_turn(connection, node=node, loop=loop, outcome=outcome, now=story.now)


@ON_BOTH
def test_a_loop_that_does_not_turn(story: Story) -> None:
    for minute in range(30):
        turned(story, "node-1", "0 files", "intake", "delivery", "upkeep")
        turned(story, "node-1", "0 clocks", *(["sweep"] if minute < 10 else ["upkeep"]))
        passes(story, MINUTE)
    assert {fault.what for fault in standing(story)} == {"loop: sweep on node-1"}
    told_once(story, "a loop does not turn")
    assert shows(story, "loop sweep on node-1 has not turned for")
    turned(story, "node-1")
    looks(story)
    assert kinds(story) == set()
    story.told("council", "eastshire")


@ON_BOTH
def test_a_loop_that_fails_at_every_look(story: Story) -> None:
    for _ in range(10):
        turned(story, "node-1")
        turned(story, "node-1", "failed: OperationalError", "intake")
        passes(story, MINUTE)
    assert {fault.what for fault in standing(story)} == {"failing: intake on node-1"}
    told_once(story, "a loop fails again and again")
    assert shows(story, "loop intake on node-1 failed: OperationalError")
    turned(story, "node-1")
    looks(story)
    assert kinds(story) == set()
    story.told("council", "eastshire")


def test_a_node_that_is_gone_is_said_as_such(story: Story) -> None:
    """One fault and not one for each of its loops; after a week it is taken to be given up."""
    turned(story, "node-2")
    for _ in range(20):
        turned(story, "node-1")
        passes(story, MINUTE)
    assert {fault.what for fault in standing(story)} == {"node: node-2"}
    told_once(story, "a node is not seen")
    assert [fault for fault in story.status().service_faults if "node-2" in fault] == [
        "node node-2 is gone or stopped: it was last seen at 10:00 today"
    ]
    story.told("council", "eastshire")
    story.now += 8 * DAY
    turned(story, "node-1")
    looks(story)
    assert kinds(story) == set()
    assert not shows(story, "node-2")


def test_a_machine_that_was_suspended_is_no_fault(story: Story) -> None:
    """The first look after eight hours sees everything late, and the next sees it done."""
    turned(story, "node-1")
    story.told("council", "eastshire")
    story.again()
    looks(story)
    story.now += 8 * HOUR
    looks(story)
    turned(story, "node-1")
    passes(story, 3 * MINUTE)
    assert kinds(story) == set()


# -- the seal and the calendar ----------------------------------------------------------------


@ON_BOTH
def test_a_seal_that_is_broken(story: Story) -> None:
    """A sealed row of the audit log was changed; it is noticed on the next way round."""
    story.explained(CASE)
    story.told("council", "eastshire")
    story.again()
    looks(story)
    assert kinds(story) == set()
    with reading(story.monitor.engine) as connection:
        actor = connection.scalar(text("SELECT actor FROM audit WHERE sealed = 1"))
    change(story, "UPDATE audit SET actor = 'another' WHERE sealed = 1")
    looks(story)
    assert kinds(story) == {"seal"}
    told_once(story, "the seal of the audit log is broken")
    assert shows(story, "the audit log does not follow from itself at row 1")
    looks(story)
    assert kinds(story) == {"seal"}
    change(story, "UPDATE audit SET actor = :actor WHERE sealed = 1", actor=actor)
    passes(story, 2 * MINUTE)
    assert kinds(story) == set()


def test_a_calendar_near_its_end(begin: Begin) -> None:
    """Told once a month, from half a year before."""
    story = begin("Mon 17 July 2028 09:00")
    assert "calendar" in kinds(story)
    mail = story.expects_mail_to("operator", saying="a calendar is near its end")
    assert "2028-12-31" in mail.text
    assert shows(story, "ends on 2028-12-31")
    assert all_is_well(story.monitor)
    story.advance(to="Fri 4 August 09:00")
    story._unexpected.clear()


# -- telling ----------------------------------------------------------------------------------


def test_several_faults_are_one_mail_and_what_is_over_is_in_the_next(story: Story) -> None:
    """Found together, told together; found within ten minutes of a mail, told after them."""
    story.explained(CASE)
    story.again()
    with writing(story.monitor.engine) as connection:
        cases.mark_dirty(connection, [1])
        actions.record_turn(
            connection, node="node-2", loop="sweep", outcome="0 clocks", now=story.now - HOUR
        )
    passes(story, 6 * MINUTE)
    assert kinds(story) == {"node", "unassessed"}
    mail = told_once(story, "a node is not seen, and 1 other fault")
    assert "1 case changed" in mail.text

    passes(story, MINUTE, assess_dirty)
    assert kinds(story) == {"node"}
    change(story, "UPDATE audit SET actor = 'another' WHERE sealed = 1")
    looks(story)
    assert kinds(story) == {"node", "seal"}
    story.expects_no_more_mail()
    passes(story, 12 * MINUTE, assess_dirty)
    mail = told_once(story, "Over: changed cases are not assessed")
    assert mail.subject.count("|") >= 2
    story.told("council", "eastshire")


def test_what_goes_on_is_told_daily(story: Story) -> None:
    story.told("council", "eastshire")
    story.again()
    turned(story, "node-2")
    passes(story, 30 * MINUTE)
    told_once(story, "a node is not seen")
    passes(story, 23 * HOUR, every=30 * MINUTE)
    story.expects_no_more_mail()
    passes(story, 1 * HOUR, every=30 * MINUTE)
    told_once(story, "still: a node is not seen")


@ON_BOTH
def test_two_nodes_tell_once(story: Story) -> None:
    """Both look at the same instants; one keeps the fault and tells, the other sees it kept."""
    other = replace(story.monitor, node="node-2", watched=Watched())
    with writing(story.monitor.engine) as connection:
        cases.mark_dirty(connection, [1])
    for _ in range(12):
        story.now += MINUTE
        look(other, now=story.now)
        looks(story)
    assert kinds(story) == {"unassessed"}
    told_once(story, "changed cases are not assessed")
    other = replace(story.monitor, node="node-3", watched=Watched())
    look(other, now=story.now)
    assert kinds(story) == {"unassessed"}, "a node that starts anew ends nothing that stands"
    story.told("council", "eastshire")


def test_a_flagged_address_of_the_operator_is_passed_over(story: Story) -> None:
    """Where there is another; where there is none it is tried all the same."""
    first, second = "first@eastshire.police.example", "second@eastshire.police.example"
    story.decide("operator", addresses=(first, second))
    story.told("council", "eastshire")
    story.again()
    with writing(story.monitor.engine) as connection:
        message_id = outbox.queue_message(
            connection,
            kind="operator",
            address=first,
            role="operator",
            domain="eastshire.police.example",
            now=story.now,
            not_before=story.now + 300 * DAY,
        )
        mailbox.flag_address(
            connection, first, status="5.1.1", message_id=message_id, now=story.now
        )
    turned(story, "node-2")
    passes(story, 30 * MINUTE)
    mail = told_once(story, "a node is not seen")
    assert mail.to == second


def test_nothing_is_looked_at_before_the_present(story: Story) -> None:
    """In a demonstration everything is late until time is real."""
    story.monitor = replace(story.monitor, watched=Watched(begins_at=story.now + HOUR))
    turned(story, "node-2")
    passes(story, 50 * MINUTE)
    assert standing(story) == []
    story.told("council", "eastshire")


def test_every_kind_says_what_to_do() -> None:
    """A verb first; a subject that names no figure of cases."""
    for kind in KINDS.values():
        assert kind.do.what[0].isupper()
        assert len(kind.wrong) < 60
        assert kind.effect.endswith(".")


def test_a_clock_whose_telling_somebody_ended_rests_on_purpose(story: Story) -> None:
    """It is open, and nothing is set to happen: that is what was asked for."""
    story.advance(to="13:10")
    story.close_by_hand(CASE, rule="significant-harm-council")
    story.again()
    story._unexpected.clear()
    passes(story, 3 * MINUTE)
    assert kinds(story) == set()
    story.told("council", "eastshire")
    story.again()
    story._unexpected.clear()
