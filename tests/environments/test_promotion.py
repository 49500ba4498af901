from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from environments.models import Environment, PromotionTransition
from environments.services import pointers
from environments.services.birth import create_environment
from environments.services.environments import note_server
from environments.services.promotion import promote, state_of
from models_app.services.models import delete_model
from models_app.services.tags import set_tag
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from studio.errors import Conflict, Invalid
from tests.factories import environment_of, make_assistant, make_model, make_person
from tests.models_app.archives import model_archive

GIGABYTE = 1_000_000_000


def live_in(environment: Environment):
    return Environment.objects.get(pk=environment.pk).tag.model


def test_a_promotion_moves_the_tag_and_says_who_and_why(assistant, production):
    admin, model = make_person("admin"), make_model(assistant)

    promotion = promote(actor=admin, environment=production, model=model, reason="Better at prices")

    assert live_in(production) == model
    assert (promotion.number, promotion.from_model, promotion.to_model) == (1, None, model)
    assert (promotion.actor_label, promotion.reason) == (admin.username, "Better at prices")
    assert state_of(promotion) == "switched"
    event = AuditEvent.objects.get(action=Action.PROMOTED)
    assert (event.actor, event.after["model"], event.reason) == (admin, model.name, "Better at prices")


def test_each_promotion_is_a_generation_of_its_own(assistant, production):
    born_with = production.generation

    for number in (1, 2):
        promotion = promote(actor=None, environment=production, model=make_model(assistant))
        assert (promotion.number, promotion.generation) == (number, born_with + number)


def test_the_pointer_is_written_after_the_commit(assistant, production, promote_to_production):
    model = make_model(assistant)

    promotion = promote_to_production(model)

    answer = pointers.ask("default", "production", pointers.EVERY_TAG, None)
    assert answer.from_redis
    assert (answer.pointer.sha256, answer.pointer.generation) == (model.artifact_id, promotion.generation)


def test_other_environments_stay_as_they_are(assistant, production):
    worker = environment_of(assistant, "worker")

    promote(actor=None, environment=production, model=make_model(assistant))

    assert live_in(worker) is None
    assert not worker.promotions.exists()


def test_taking_out_of_service_is_a_promotion_to_no_model(assistant, production):
    model = make_model(assistant)
    promote(actor=None, environment=production, model=model)

    promotion = promote(actor=None, environment=production, model=None)

    assert live_in(production) is None
    assert (promotion.from_model, promotion.to_model, state_of(promotion)) == (model, None, "running")


def test_an_unfinished_promotion_is_superseded(assistant, production):
    first = promote(actor=None, environment=production, model=make_model(assistant))
    promote(actor=None, environment=production, model=make_model(assistant))

    assert state_of(first) == "superseded"


def test_a_finished_promotion_stays_as_it_ended(assistant, production):
    first = promote(actor=None, environment=production, model=make_model(assistant))
    PromotionTransition.objects.create(promotion=first, state="running", at=timezone.now())
    promote(actor=None, environment=production, model=make_model(assistant))

    assert state_of(first) == "running"


class TestRefusals:
    def test_somebody_was_faster(self, assistant, production):
        ada = make_person("admin", username="ada")
        seen, theirs, mine = (make_model(assistant, name) for name in ("seen", "theirs", "mine"))
        promote(actor=None, environment=production, model=seen)
        promote(actor=ada, environment=production, model=theirs, expected_current=seen)

        with pytest.raises(Conflict, match=r"ada promoted theirs to production 0\sminutes ago") as refused:
            promote(actor=None, environment=production, model=mine, expected_current=seen)

        assert (refused.value.code, live_in(production)) == ("stale", theirs)

    def test_nothing_was_expected_live_and_something_is(self, assistant, production):
        promote(actor=None, environment=production, model=make_model(assistant))

        with pytest.raises(Conflict):
            promote(actor=None, environment=production, model=make_model(assistant), expected_current=None)

    def test_what_was_seen_live_may_be_named_or_told_by_its_bytes(self, assistant, production):
        seen, next_one = make_model(assistant, "seen"), make_model(assistant, "next")
        promote(actor=None, environment=production, model=seen)

        for stale in ("next", next_one.artifact_id, "nothing of ours"):
            with pytest.raises(Conflict) as refused:
                promote(actor=None, environment=production, model=next_one, expected_current=stale)
            assert refused.value.details["current"] == "seen"
            assert refused.value.details["hash"] == seen.artifact_id

        promote(actor=None, environment=production, model=next_one, expected_current=seen.artifact_id)
        promote(actor=None, environment=production, model=seen, expected_current="next")

    def test_the_model_is_live_already(self, assistant, production):
        model = make_model(assistant, "m1")
        promote(actor=None, environment=production, model=model)

        with pytest.raises(Conflict, match="m1 is live in production already"):
            promote(actor=None, environment=production, model=model)

    def test_out_of_service_already(self, production):
        with pytest.raises(Conflict, match="out of service already"):
            promote(actor=None, environment=production, model=None)

    def test_the_model_was_deleted_meanwhile(self, assistant, production):
        model = make_model(assistant, "gone")
        delete_model(actor=None, model=model)

        with pytest.raises(Conflict, match="gone was deleted meanwhile"):
            promote(actor=None, environment=production, model=model)

    def test_a_model_of_another_assistant(self, production):
        with pytest.raises(Invalid, match="another assistant"):
            promote(actor=None, environment=production, model=make_model(make_assistant("other")))

    def test_a_model_older_than_the_server_loads(self, assistant, production):
        note_server(environment=production, version="3.6.21", minimum_compatible_version="3.5.0")
        old = make_model(assistant, "old", model_archive(rasa_open_source_version="3.4.2"))

        with pytest.raises(Invalid, match=r"trained with Rasa 3\.4\.2.*loads models of 3\.5\.0 and later") as refused:
            promote(actor=None, environment=production, model=old)

        assert refused.value.code == "too-old"
        promote(actor=None, environment=environment_of(assistant, "worker"), model=old)  # its server may be another

    def test_a_model_too_large_for_the_line(self, assistant, production):
        model = make_model(assistant)
        type(model).objects.filter(pk=model.pk).update(size=GIGABYTE)
        Environment.objects.filter(pk=production.pk).update(pull_speed=2_000_000, pull_speed_at=timezone.now())

        with pytest.raises(Invalid, match="takes 500 s, and Rasa gives up after 300 s") as refused:
            promote(actor=None, environment=production, model=model)

        assert refused.value.code == "too-large"

    def test_an_old_measurement_of_the_line_refuses_nothing(self, assistant, production):
        model = make_model(assistant)
        type(model).objects.filter(pk=model.pk).update(size=GIGABYTE)
        long_ago = timezone.now() - timedelta(days=2)
        Environment.objects.filter(pk=production.pk).update(pull_speed=2_000_000, pull_speed_at=long_ago)

        assert promote(actor=None, environment=production, model=model).to_model == model

    def test_a_removed_environment(self, assistant, production):
        Environment.objects.filter(pk=production.pk).update(removed_at=timezone.now())

        with pytest.raises(Conflict, match="production was removed meanwhile"):
            promote(actor=None, environment=production, model=make_model(assistant))

    def test_who_may_not_modify_production(self, assistant, production):
        annotator, model = make_person("annotator"), make_model(assistant)

        with pytest.raises(PermissionDenied):
            promote(actor=annotator, environment=production, model=model)

        assert live_in(production) is None
        promote(actor=annotator, environment=environment_of(assistant, "worker"), model=model)

    def test_a_grant_taken_away_since_the_page_was_opened(self, assistant, production):
        admin = make_person("admin")
        assert admin.granted  # read once for the page
        admin.grants.all().delete()

        with pytest.raises(PermissionDenied):
            promote(actor=admin, environment=production, model=make_model(assistant))

    def test_a_reason_without_end(self, assistant, production):
        with pytest.raises(Invalid, match="at most 2000"):
            promote(actor=None, environment=production, model=make_model(assistant), reason="x" * 2001)


def test_a_model_that_failed_may_be_tried_again(assistant, production):
    model = make_model(assistant)
    failed = promote(actor=None, environment=production, model=model)
    PromotionTransition.objects.create(promotion=failed, state="failed", at=timezone.now())

    again = promote(actor=None, environment=production, model=model)

    assert (again.number, state_of(again)) == (2, "switched")


def test_an_environment_adopts_the_model_of_its_tag(assistant):
    model = make_model(assistant)
    set_tag(actor=None, model=model, name="staging")

    staging = create_environment(actor=None, assistant=assistant, name="staging")

    assert live_in(staging) == model
    assert staging.promotions.get().to_model == model
