"""Erasing what a filter or a rule chooses: counted, confirmed, carried out in steps, and told."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import time_machine
from django.conf import settings
from django.utils import timezone

from conversations.ingest.write import Stored
from conversations.models import (
    Conversation,
    DeadLetter,
    ErasurePart,
    ErasureRun,
    IntakePosition,
    RetentionRule,
    TalkSession,
    Tombstone,
)
from conversations.services import erasure_plan, erasure_runs, retention
from environments.models import Environment
from models_app.models import Assistant
from studio.access.models import Grant, User
from studio.access.permissions import Scope
from studio.audit.models import AuditEvent
from studio.errors import Conflict
from tests.conversations.events import small_talk, user
from tests.factories import environment_of, make_person, source_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_client")]
Make = Callable[..., Stored]
NOW = 1_800_000_000.0
DAY = 86_400.0


@pytest.fixture
def boss(db: None) -> User:
    return make_person("admin")


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    monkeypatch.setattr(erasure_runs, "LONGEST_PAUSE", 0.0)


def senders() -> set[str]:
    return set(Conversation.objects.values_list("sender_id", flat=True))


def counted(boss: User, assistant: Assistant, query: str = "") -> ErasureRun:
    run = erasure_runs.request_run(actor=boss, assistant=assistant, query=query)
    assert not erasure_runs.work(run.pk)
    run.refresh_from_db()
    return run


def carried_out(run: ErasureRun, boss: User) -> ErasureRun:
    erasure_runs.confirm(actor=boss, run=run)
    assert not erasure_runs.work(run.pk)
    run.refresh_from_db()
    return run


def test_it_is_counted_first_and_nothing_is_deleted(stored: Make, boss: User, assistant: Assistant):
    stored(*small_talk(NOW), user("hi", NOW + 1, sender="berta"), user("ho", NOW, sender="carl"))
    run = counted(boss, assistant, "q=h")
    assert (run.state, run.total, run.events_total, run.conversations) == ("counted", 3, 10, 0)
    assert [one.sender_id for one in erasure_plan.sample(run)] == ["anna", "berta", "carl"]
    assert Conversation.objects.count() == 3
    assert not erasure_runs.work(run.pk)
    assert Conversation.objects.count() == 3


def test_what_was_confirmed_goes_and_the_rest_stays(stored: Make, boss: User, assistant: Assistant):
    stored(*small_talk(NOW), user("bye", NOW + 1, sender="berta"))
    run = carried_out(counted(boss, assistant, "q=hi"), boss)
    assert (run.state, run.seen, run.conversations, run.events) == ("done", 1, 1, 8)
    assert senders() == {"berta"}
    assert not ErasurePart.objects.exists()


def test_it_is_audited_with_counts_and_without_words(stored: Make, boss: User, assistant: Assistant):
    stored(*small_talk(NOW))
    carried_out(counted(boss, assistant, "q=hi&origin=real"), boss)
    asked, done = (
        AuditEvent.objects.filter(action__startswith="erasure"),
        AuditEvent.objects.filter(action="conversations-erased"),
    )
    assert asked.get().after == {"conversations": 1, "events": 8, "filter": "q=...&origin=real"}
    assert done.get().after == {
        "ended": "Done", "conversations": 1, "events": 8, "unreadable records": 0, "filter": "q=...&origin=real"
    }  # fmt: skip
    assert done.get().actor == boss


def test_what_came_after_the_count_and_what_matches_no_more_stays(stored: Make, boss: User, assistant: Assistant):
    stored(*small_talk(NOW), *small_talk(NOW, "berta"))
    until = datetime.fromtimestamp(NOW, timezone.get_current_timezone()).date().isoformat()
    run = counted(boss, assistant, f"until={until}")
    stored(user("hi", NOW, sender="carl"))
    Conversation.objects.filter(sender_id="berta").update(first_event_at=NOW + 5 * DAY)
    run = carried_out(run, boss)
    assert (run.total, run.seen, run.conversations) == (2, 2, 1)
    assert senders() == {"berta", "carl"}


def test_of_two_who_confirm_one_is_told(stored: Make, boss: User, assistant: Assistant):
    stored(*small_talk(NOW))
    run = counted(boss, assistant)
    erasure_runs.confirm(actor=boss, run=run)
    with pytest.raises(Conflict):
        erasure_runs.confirm(actor=boss, run=run)


def test_it_goes_on_after_a_kill_in_the_middle(stored: Make, boss: User, assistant: Assistant, monkeypatch):
    monkeypatch.setattr(erasure_plan, "PART", 2)
    monkeypatch.setattr(erasure_runs, "EVENTS_AT_ONCE", 8)  # one conversation each time
    for name in "abcde":
        stored(*small_talk(NOW, name))
    run = counted(boss, assistant)
    erasure_runs.confirm(actor=boss, run=run)
    steps, real = [], erasure_runs._step

    def dying(one: ErasureRun) -> bool:
        steps.append(1)
        if len(steps) == 4:
            raise KeyboardInterrupt
        return real(one)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(erasure_runs, "_step", dying)
        erasure_runs.work(run.pk)
    run.refresh_from_db()
    assert (run.state, run.conversations, Conversation.objects.count()) == ("running", 3, 2)
    assert not erasure_runs.work(run.pk) and Conversation.objects.count() == 2, "it may live"
    ErasureRun.objects.update(heartbeat_at=timezone.now() - timedelta(hours=1))
    erasure_runs.work(run.pk)
    run.refresh_from_db()
    assert (run.state, run.conversations, run.events) == ("done", 5, 40)


def test_one_that_lives_after_all_writes_nothing_more(stored: Make, boss: User, assistant: Assistant, monkeypatch):
    stored(*small_talk(NOW))
    run = counted(boss, assistant)
    erasure_runs.confirm(actor=boss, run=run)
    monkeypatch.setattr(erasure_runs, "is_ingestion_behind", lambda: ErasureRun.objects.update(attempt=99) == 0)
    assert not erasure_runs.work(run.pk)
    assert Conversation.objects.count() == 1


def test_it_can_be_stopped(stored: Make, boss: User, assistant: Assistant):
    stored(*small_talk(NOW))
    run = counted(boss, assistant)
    erasure_runs.confirm(actor=boss, run=run)
    erasure_runs.stop(actor=boss, run=run)
    assert not erasure_runs.work(run.pk)
    run.refresh_from_db()
    assert (run.state, Conversation.objects.count(), ErasurePart.objects.count()) == ("stopped", 1, 0)
    with pytest.raises(Conflict):
        erasure_runs.stop(actor=boss, run=run)


def test_who_lost_the_right_meanwhile_deletes_nothing_more(stored: Make, boss: User, assistant: Assistant):
    stored(*small_talk(NOW))
    run = counted(boss, assistant)
    erasure_runs.confirm(actor=boss, run=run)
    Grant.objects.filter(user=boss).delete()
    erasure_runs.work(run.pk)
    run.refresh_from_db()
    assert (run.state, run.conversations, Conversation.objects.count()) == ("done", 0, 1)


def test_only_where_one_may_delete(stored: Make, assistant: Assistant):
    worker = environment_of(assistant, "worker")
    stored(*small_talk(NOW))
    stored(*small_talk(NOW, "berta"), under="worker")
    person = make_person("annotator")  # sees both
    from studio.access.models import Role
    from studio.access.services.grants import grant

    grant(actor=None, person=person, role=Role.objects.get(name="admin"), scope=Scope(assistant.pk, worker.pk))
    run = counted(User.objects.get(pk=person.pk), assistant)
    assert run.total == 1
    carried_out(run, person)
    assert senders() == {"anna"}


def test_it_pauses_while_ingestion_catches_up(stored: Make, boss: User, assistant: Assistant):
    stored(*small_talk(NOW))
    run = counted(boss, assistant)
    erasure_runs.confirm(actor=boss, run=run)
    IntakePosition.objects.create(
        source=source_of(assistant), topic="t", partition=0, next_offset=1, end_offset=90_000, moved_at=timezone.now()
    )
    assert not erasure_runs.work(run.pk)
    run.refresh_from_db()
    assert (run.state, run.is_paused, run.is_held, Conversation.objects.count()) == ("waiting", True, False, 1)
    IntakePosition.objects.update(next_offset=89_999)
    erasure_runs.work(run.pk)
    run.refresh_from_db()
    assert (run.state, run.is_paused) == ("done", False)


def test_an_address_that_is_no_filter_any_more_fails_and_deletes_nothing(
    stored: Make, boss: User, assistant: Assistant
):
    stored(*small_talk(NOW))
    run = counted(boss, assistant, "environment=gone")
    assert (run.state, Conversation.objects.count()) == ("failed", 1)
    assert "not valid any more" in run.message


def test_what_was_never_confirmed_is_dropped_after_a_day(stored: Make, boss: User, assistant: Assistant):
    stored(*small_talk(NOW))
    run = counted(boss, assistant)
    erasure_runs.drop_unconfirmed()
    assert ErasureRun.objects.exists()
    ErasureRun.objects.filter(pk=run.pk).update(requested_at=timezone.now() - timedelta(days=2))
    erasure_runs.drop_unconfirmed()
    assert not ErasureRun.objects.exists() and not ErasurePart.objects.exists()


# --- Rules ------------------------------------------------------------------------------------------------------------


def at_night(day: int = 0):
    moment = datetime(2027, 3, 1 + day, settings.RETENTION_HOUR, 20, tzinfo=timezone.get_current_timezone())
    return time_machine.travel(moment, tick=True)


def ago(days: float) -> float:
    with at_night():
        return timezone.now().timestamp() - days * DAY


def rule_of(boss: User, assistant: Assistant, environment: Environment | None, days: int, *, is_on: bool = True):
    rule = retention.add_rule(actor=boss, assistant=assistant, environment=environment, days=days)
    assert not rule.is_on
    if is_on:
        retention.switch_rule(actor=boss, rule=rule, is_on=True)
    return rule


def night(day: int = 0) -> int:
    with at_night(day):
        begun = retention.request_nightly()
        for run in ErasureRun.objects.filter(is_nightly=True, state="counting"):
            erasure_runs.work(run.pk)
    return begun


def test_what_is_older_than_its_rule_allows_goes_by_night(stored: Make, boss: User, assistant: Assistant):
    stored(*small_talk(ago(91), "old"), *small_talk(ago(89), "young"))
    rule_of(boss, assistant, None, 90)
    assert (night(), senders()) == (1, {"young"})
    run = ErasureRun.objects.get()
    assert (run.state, run.conversations, run.requested_by_label) == ("done", 1, "Parley")
    assert AuditEvent.objects.get(action="conversations-erased").after["older than days"] == 90
    assert night() == 0, "once a night"
    assert night(1) == 0, "nothing to do makes no run"
    assert night(3) == 1 and senders() == set()


def test_nothing_happens_at_another_hour_or_while_a_rule_is_off(stored: Make, boss: User, assistant: Assistant):
    stored(*small_talk(ago(91)))
    rule = rule_of(boss, assistant, None, 90, is_on=False)
    assert night() == 0
    retention.switch_rule(actor=boss, rule=rule, is_on=True)
    with at_night(), time_machine.travel(timezone.now() + timedelta(hours=2), tick=True):
        assert retention.request_nightly() == 0
    assert senders() == {"anna"}


def test_an_environments_own_rule_goes_before_the_assistants(
    stored: Make, boss: User, assistant: Assistant, environment: Environment
):
    stored(*small_talk(ago(100), "production"))
    stored(*small_talk(ago(100), "worker"), under="worker")
    stored(*small_talk(ago(100), "nowhere"), under="an unknown name")
    rule_of(boss, assistant, None, 30)
    own = rule_of(boss, assistant, environment, 365)
    night()
    assert senders() == {"production"}
    retention.switch_rule(actor=boss, rule=own, is_on=False)
    night(1)
    assert senders() == {"production"}, "switched off it still keeps the environment from the other rule"
    retention.remove_rule(actor=boss, rule=own)
    night(2)
    assert senders() == set()


def test_a_rule_takes_old_unreadable_records_and_old_talks_without_events(
    stored: Make, boss: User, assistant: Assistant, environment: Environment
):
    stored(b'{"event": "user", "text": "cut')
    TalkSession.objects.create(environment=environment, sender_id="talk-1", first_text="hello")
    old = timezone.now() - timedelta(days=400)
    DeadLetter.objects.update(at=old)
    TalkSession.objects.update(last_at=old)
    stored(b'{"event": "user", "text": "new')
    rule_of(boss, assistant, None, 300)
    assert night() == 1
    assert [bytes(one.record) for one in DeadLetter.objects.all()] == [b'{"event": "user", "text": "new']
    assert not TalkSession.objects.exists()
    assert ErasureRun.objects.get().letters == 1


def test_a_dry_run_counts_and_deletes_nothing_before_its_word(stored: Make, boss: User, assistant: Assistant):
    stored(*small_talk(ago(500)))
    rule = rule_of(boss, assistant, None, 90, is_on=False)
    run = retention.request_dry_run(actor=boss, rule=rule)
    erasure_runs.work(run.pk)
    run.refresh_from_db()
    assert (run.state, run.total, senders()) == ("counted", 1, {"anna"})
    assert retention.due_now([rule]) == {rule.pk: 1}
    carried_out(run, boss)
    assert senders() == set()


def test_an_empty_dry_run_waits_for_its_word_too(boss: User, assistant: Assistant, environment: Environment):
    TalkSession.objects.create(environment=environment, sender_id="talk-1", first_text="hello")
    TalkSession.objects.update(last_at=timezone.now() - timedelta(days=400))
    run = retention.request_dry_run(actor=boss, rule=rule_of(boss, assistant, None, 300))
    erasure_runs.work(run.pk)
    assert TalkSession.objects.exists()


def test_a_nightly_run_ends_when_its_rule_does(stored: Make, boss: User, assistant: Assistant):
    stored(*small_talk(ago(91)))
    rule = rule_of(boss, assistant, None, 90)
    with at_night():
        retention.request_nightly()
        retention.change_rule(actor=boss, rule=rule, days=365)
        run = ErasureRun.objects.get()
        erasure_runs.work(run.pk)
    run.refresh_from_db()
    assert (run.state, run.message) == ("failed", "Its rule was changed meanwhile.")
    assert senders() == {"anna"} and not Tombstone.objects.exists()


def test_one_rule_for_a_place(boss: User, assistant: Assistant):
    rule_of(boss, assistant, None, 90)
    with pytest.raises(Conflict):
        rule_of(boss, assistant, None, 30)
    assert RetentionRule.objects.get().days == 90
    assert AuditEvent.objects.filter(action="retention-changed").count() == 2
