"""Which models are kept: the mark, the rule, what it would delete, and that it deletes nothing else."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from environments.services.promotion import promote
from models_app.models import Artifact, Assistant, Model, ModelRetention
from models_app.services import model_retention
from models_app.services.model_retention import (
    apply_rule,
    change_rule,
    keep_model,
    keep_model_no_longer,
    plan_of,
    request_nightly,
)
from models_app.services.models import delete_model
from models_app.services.tags import set_tag
from models_app.storage import store
from studio.access.models import User
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from studio.errors import Conflict
from tests.environments.polling import Poller
from tests.factories import environment_of, make_assistant, make_model, make_person
from tests.models_app.archives import model_archive
from tests.models_app.test_add_model import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(db: None) -> User:
    return make_person("admin", username="anna")


@pytest.fixture
def models(assistant: Assistant) -> list[Model]:
    """Oldest first."""
    return [make_model(assistant, f"model-{number}") for number in range(6)]


def names(plan) -> list[str]:
    return list(Model.objects.filter(pk__in=plan.doomed).order_by("pk").values_list("name", flat=True))


def rule_on(assistant: Assistant, admin: User, newest: int = 2) -> ModelRetention:
    change_rule(actor=admin, assistant=assistant, newest=newest, is_on=True)
    return ModelRetention.objects.get()


def left() -> set[str]:
    return set(Model.objects.current().values_list("name", flat=True))


class TestTheMark:
    def test_nobody_deletes_a_model_that_has_it(self, models, admin):
        keep_model(actor=admin, model=models[0], reason="the one of the fair")
        with pytest.raises(Conflict, match="kept by anna: the one of the fair"):
            delete_model(actor=admin, model=models[0])

    def test_without_it_they_do_again(self, models, admin):
        keep_model(actor=admin, model=models[0])
        keep_model_no_longer(actor=admin, model=models[0])
        delete_model(actor=admin, model=models[0])

    def test_it_is_audited(self, models, admin):
        keep_model(actor=admin, model=models[0], reason="why")
        keep_model_no_longer(actor=admin, model=models[0])
        kept, dropped = AuditEvent.objects.filter(target_kind="model", actor=admin).order_by("pk")
        assert (kept.action, kept.after) == (Action.MODEL_KEPT, {"reason": "why"})
        assert (dropped.action, dropped.before) == (Action.MODEL_KEPT_NO_LONGER, {"reason": "why", "by": "anna"})

    def test_a_deleted_model_takes_none(self, models, admin):
        delete_model(actor=None, model=models[0])
        with pytest.raises(Conflict, match="deleted meanwhile"):
            keep_model(actor=admin, model=models[0])


class TestWhatWouldGo:
    def test_all_but_the_newest(self, assistant, models):
        plan = plan_of(assistant, 2)
        assert names(plan) == ["model-0", "model-1", "model-2", "model-3"]
        assert (plan.total, plan.freed) == (6, sum(model.size for model in models[:4]))

    def test_not_what_is_tagged_or_kept(self, assistant, models, admin):
        set_tag(actor=None, model=models[0], name="best")
        keep_model(actor=admin, model=models[2])
        plan = plan_of(assistant, 2)
        assert names(plan) == ["model-1", "model-3"]
        assert [(model.name, why) for model, why in plan.stay] == [
            ("model-2", "kept by anna"),
            ("model-0", "tagged best"),
        ]

    @pytest.mark.django_db(transaction=True)
    def test_not_what_ran_last_in_an_environment(self, client, redis_client):
        assistant = make_assistant("default")
        production = environment_of(assistant)
        models = [make_model(assistant, f"model-{number}") for number in range(6)]
        poller = Poller(client, production, "rasa-1")
        for model in models[:4]:
            promote(actor=None, environment=production, model=model)
            poller.poll()
            poller.poll()
        plan = plan_of(assistant, 1)
        assert names(plan) == ["model-0", "model-4"]

    def test_bytes_that_another_model_shares_are_not_freed(self, assistant, models):
        content = model_archive(model_id="model-0")
        make_model(make_assistant(), "twin", content=content)
        assert plan_of(assistant, 5).freed == 0
        assert names(plan_of(assistant, 5)) == ["model-0"]

    def test_two_that_go_together_free_their_bytes_once(self, assistant):
        content = model_archive(model_id="same")
        first = make_model(assistant, "one", content=content)
        make_model(assistant, "two", content=content)
        make_model(assistant, "three")
        assert plan_of(assistant, 1).freed == first.size

    def test_it_takes_as_many_queries_for_many_models(self, assistant, models, django_assert_num_queries):
        with django_assert_num_queries(5):  # models, tags, what ran, who shares the bytes, links of guests
            plan_of(assistant, 2)
        for number in range(6, 12):
            set_tag(actor=None, model=make_model(assistant, f"model-{number}"), name=f"tag-{number}")
        with django_assert_num_queries(5):
            plan_of(assistant, 2)


class TestTheRun:
    def test_it_deletes_what_was_said_and_tells(self, assistant, models, admin, django_capture_on_commit_callbacks):
        rule = rule_on(assistant, admin)
        with django_capture_on_commit_callbacks(execute=True):
            assert apply_rule(rule.pk) == 4
        assert left() == {"model-4", "model-5"}
        assert not any(store().exists(model.artifact_id) for model in models[:4])
        event = AuditEvent.objects.filter(action=Action.MODEL_DELETED).first()
        assert event and (event.actor_label, event.reason) == ("Parley", "Retention keeps the newest 2 models.")

    @pytest.mark.django_db(transaction=True)
    def test_it_remembers_how_many_went_and_what_that_freed(self, assistant, models, admin):
        make_model(make_assistant(), "twin", content=model_archive(model_id="model-0"))
        rule = rule_on(assistant, admin)
        apply_rule(rule.pk)
        rule.refresh_from_db()
        assert (rule.last_deleted, rule.last_freed) == (4, sum(model.size for model in models[1:4]))
        assert store().exists(models[0].artifact_id)

    def test_twice_is_once(self, assistant, models, admin):
        rule = rule_on(assistant, admin)
        apply_rule(rule.pk)
        make_model(assistant, "new")
        assert apply_rule(rule.pk) == 0
        assert len(left()) == 3

    def test_one_that_is_off_deletes_nothing(self, assistant, models, admin):
        rule = rule_on(assistant, admin)
        change_rule(actor=admin, assistant=assistant, is_on=False)
        assert apply_rule(rule.pk) == 0
        assert len(left()) == 6

    def test_what_is_marked_or_switched_off_while_it_runs_counts(self, assistant, models, admin, monkeypatch):
        def meanwhile(*, actor, model, reason):
            if model == models[0]:
                keep_model(actor=admin, model=models[1])
            if model == models[2]:
                change_rule(actor=admin, assistant=assistant, is_on=False)
            delete_model(actor=actor, model=model, reason=reason)

        monkeypatch.setattr(model_retention, "delete_model", meanwhile)
        rule = rule_on(assistant, admin)
        assert apply_rule(rule.pk) == 2
        assert left() == {"model-1", "model-3", "model-4", "model-5"}

    def test_newest_ones_deleted_by_hand_while_it_runs_leave_others_among_the_newest(
        self, assistant, models, admin, monkeypatch
    ):
        def meanwhile(*, actor, model, reason):
            delete_model(actor=actor, model=model, reason=reason)
            if model == models[1]:
                for newer in models[3:5]:
                    delete_model(actor=admin, model=newer)

        monkeypatch.setattr(model_retention, "delete_model", meanwhile)
        rule = rule_on(assistant, admin)
        apply_rule(rule.pk)
        assert left() == {"model-2", "model-5"}

    @pytest.mark.parametrize(("hour", "queued"), [(1, 1), (2, 0)])
    def test_it_is_queued_in_its_hour(self, assistant, admin, monkeypatch, hour, queued):
        rule_on(assistant, admin)
        calls: list[tuple[object, ...]] = []
        monkeypatch.setattr(model_retention.queues, "enqueue", lambda *call: calls.append(call))
        monkeypatch.setattr(timezone, "now", lambda: datetime(2026, 11, 28, hour, 30, tzinfo=UTC))
        assert request_nightly() == queued == len(calls)

    def test_one_that_ran_lately_is_not(self, assistant, admin, monkeypatch):
        rule = rule_on(assistant, admin)
        now = datetime(2026, 11, 28, 1, 30, tzinfo=UTC)
        monkeypatch.setattr(timezone, "now", lambda: now)
        monkeypatch.setattr(model_retention.queues, "enqueue", lambda *_call: None)
        ModelRetention.objects.filter(pk=rule.pk).update(last_run_at=now - timedelta(minutes=10))
        assert request_nightly() == 0

    @pytest.mark.django_db(transaction=True)
    def test_uploads_of_the_same_bytes_meanwhile_never_lose_them(self, admin):
        """Each round one thread deletes the old model of these bytes while others bring them under new names."""
        assistant, other = make_assistant(), make_assistant()
        content = model_archive(model_id="same")
        for turn in range(6):
            make_model(assistant, f"old-{turn}", content=content)
            make_model(assistant, f"newest-{turn}")
            rule = rule_on(assistant, admin, newest=1)
            ModelRetention.objects.update(last_run_at=None)

            def work(number: int, turn: int = turn, rule: ModelRetention = rule) -> object:
                if number == 0:
                    return apply_rule(rule.pk)
                return make_model(other, f"new-{turn}-{number}", content=content).pk

            at_once(4, work)
            artifact = Artifact.objects.get(model__name=f"new-{turn}-1")
            assert artifact.freed_at is None and store().exists(artifact.pk)
            assert f"old-{turn}" not in left()
            for model in Model.objects.current().filter(assistant=other):
                delete_model(actor=None, model=model)
            assert not store().exists(artifact.pk)
        connection.close()


class TestThePages:
    @pytest.fixture
    def person(self, client, admin):
        client.force_login(admin)
        return client

    def page(self, person, query: str = "") -> str:
        return person.get(reverse("models:retention", args=["cafe"]) + query).content.decode()

    def test_without_a_rule_it_is_off_and_shows_what_the_default_would_do(self, person, models):
        page = self.page(person)
        assert "Keep the newest 20 models" in page and "Off" in page and "None of 6 models" in page

    def test_another_number_is_tried_and_not_saved(self, person, models):
        page = self.page(person, "?newest=4")
        assert "2 of 6 models" in page and "the rule says 20" in page
        assert "model-0" in page and "model-2" not in page
        assert not ModelRetention.objects.exists()

    @pytest.mark.parametrize("wrong", ["0", "-3", "many", ""])
    def test_a_number_that_is_none_is_said_to_be(self, person, models, wrong):
        assert "callout" in self.page(person, f"?newest={wrong}")

    def test_it_is_changed_and_switched(self, person, assistant, models):
        person.post(reverse("models:retention-edit", args=["cafe"]), {"newest": "3"})
        asked = person.get(reverse("models:retention-switch", args=["cafe", "on"])).content.decode()
        assert "3 models would go now" in asked
        person.post(reverse("models:retention-switch", args=["cafe", "on"]))
        rule = ModelRetention.objects.get()
        assert (rule.newest, rule.is_on) == (3, True)
        events = AuditEvent.objects.filter(action=Action.RETENTION_CHANGED).order_by("pk")
        assert [event.after for event in events] == [{"models": 3, "on": False}, {"models": 3, "on": True}]

    def test_neither_on_nor_off_is_no_page(self, person, assistant):
        assert person.get(reverse("models:retention-switch", args=["cafe", "over"])).status_code == 404

    def test_a_model_is_kept_and_the_page_says_by_whom(self, person, models):
        address = reverse("models:keep", args=["cafe", "model-0"])
        assert person.post(address, {"reason": "the one of the fair"}).status_code == 302
        assert "· kept" in person.get(reverse("models:list", args=["cafe"])).content.decode()
        page = person.get(reverse("models:detail", args=["cafe", "model-0"])).content.decode()
        assert "by anna: the one of the fair" in page
        person.post(address, {"drop": "1"})
        assert Model.objects.get(name="model-0").kept_at is None

    def test_its_place_among_many_is_in_the_address(self, person, assistant):
        for number in range(60):
            make_model(assistant, f"many-{number}")
        page = self.page(person, "?newest=1")
        assert "59 of 60 models" in page and "Older" in page
