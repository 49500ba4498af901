import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from environments.models import Environment, EnvironmentAlias, ManagedServer
from environments.services import environments, polls
from environments.services.birth import create_environment
from environments.services.environments import (
    environment_named,
    note_server,
    remove_environment,
    update_environment,
)
from environments.services.promotion import promote
from models_app.models import Tag
from models_app.services.tags import set_tag
from studio.access.permissions import Limit, Permission
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from studio.crypto import decrypt
from studio.errors import Conflict, Invalid
from tests.environments.polling import Poller, token_of
from tests.factories import environment_of, make_model, make_person


def address(name: str) -> str:
    return f"/api/projects/default/models/tags/{name}"


def test_a_blank_token_keeps_the_token(production):
    update_environment(actor=None, environment=production, url="http://rasa:5005/", server_token="their-secret")
    changed = update_environment(actor=None, environment=production, url="http://rasa:5006")

    assert changed.url == "http://rasa:5006"
    assert decrypt(changed.server_token_encrypted) == "their-secret"


def test_the_audit_log_has_what_changed_and_no_token(production):
    update_environment(actor=None, environment=production, url="http://rasa:5005", server_token="their-secret")

    event = AuditEvent.objects.get(action=Action.ENVIRONMENT_CHANGED)
    assert (event.before["url"], event.after["url"]) == ("", "http://rasa:5005")
    assert event.after["server_token"] == "changed"
    assert "their-secret" not in str(event.after)


def test_saving_without_a_change_is_no_event(production):
    update_environment(actor=None, environment=production, name="production", url="")

    assert not AuditEvent.objects.filter(action=Action.ENVIRONMENT_CHANGED).exists()


@pytest.mark.parametrize("url", ["rasa:5005", "ftp://rasa", "http://", "http://rasa/?token=x"])
def test_what_is_no_address_is_refused(production, url):
    with pytest.raises(Invalid, match="Give an address"):
        update_environment(actor=None, environment=production, url=url)


def test_an_environment_becomes_managed_and_connected_again(production):
    update_environment(actor=None, environment=production, kind=Environment.Kind.MANAGED)
    assert ManagedServer.objects.get(environment=production).wanted

    update_environment(actor=None, environment=production, kind=Environment.Kind.CONNECTED)
    assert not ManagedServer.objects.get(environment=production).wanted


def test_who_may_not_modify_an_environment_changes_nothing(production):
    with pytest.raises(PermissionDenied):
        update_environment(actor=make_person("annotator"), environment=production, name="prod")


def test_a_token_may_no_more_than_it_says_when_its_person_may(production):
    person = make_person("admin")
    person.limit = Limit(frozenset({Permission.ENVIRONMENTS_MODIFY}))
    with pytest.raises(PermissionDenied):
        update_environment(actor=person, environment=production, name="prod")

    assert environment_of(production.assistant).name == "production"


class TestRenaming:
    def test_the_tag_goes_with_it(self, assistant, production):
        model = make_model(assistant)
        promote(actor=None, environment=production, model=model)

        update_environment(actor=None, environment=production, name="live")

        assert Tag.objects.get(environment=production).name == "live"
        assert list(model.tags.values_list("name", flat=True)) == ["live"]
        assert Environment.objects.get(pk=production.pk).protected

    def test_the_old_address_answers_as_before(
        self, client, production, assistant, promote_to_production, django_capture_on_commit_callbacks
    ):
        model = make_model(assistant)
        promote_to_production(model)
        with django_capture_on_commit_callbacks(execute=True):
            update_environment(actor=None, environment=production, name="live")

        for name in ("production", "live"):
            assert client.head(address(name), {"token": token_of(production)})["ETag"] == model.etag

    def test_a_promotion_reaches_both_addresses(
        self, client, production, assistant, promote_to_production, django_capture_on_commit_callbacks
    ):
        promote_to_production(make_model(assistant))
        with django_capture_on_commit_callbacks(execute=True):
            update_environment(actor=None, environment=production, name="live")
        both = [address("production"), address("live")]
        for path in both:
            client.head(path, {"token": token_of(production)})
        model = make_model(assistant)
        promote_to_production(model)

        assert {client.head(path, {"token": token_of(production)})["ETag"] for path in both} == {model.etag}

    def test_the_old_address_ends_when_nobody_used_it_for_a_day(self, production):
        update_environment(actor=None, environment=production, name="live")
        EnvironmentAlias.objects.update(created_at=timezone.now() - environments.FORGET_ALIAS_AFTER * 1.1)

        environments.forget_unused_aliases()

        assert not EnvironmentAlias.objects.exists()

    def test_polls_keep_the_old_address_alive(self, client, production, django_capture_on_commit_callbacks):
        poller = Poller(client, Environment.objects.get(pk=production.pk), "rasa-1")
        with django_capture_on_commit_callbacks(execute=True):
            update_environment(actor=None, environment=production, name="live")
        EnvironmentAlias.objects.update(created_at=timezone.now() - environments.FORGET_ALIAS_AFTER * 1.1)
        poller.poll()
        polls.flush()

        environments.forget_unused_aliases()

        assert EnvironmentAlias.objects.get().name == "production"
        with pytest.raises(Conflict, match="still ask for its former name production"):
            create_environment(actor=None, assistant=production.assistant, name="production")

    def test_a_server_that_still_claims_the_former_name_keeps_it(self, client, production):
        update_environment(actor=None, environment=production, name="live")
        EnvironmentAlias.objects.update(created_at=timezone.now() - environments.FORGET_ALIAS_AFTER * 1.1)
        renamed = Environment.objects.get(pk=production.pk)
        Poller(client, renamed, "rasa-1", claims="production").poll()

        environments.forget_unused_aliases()
        assert environment_named(slug="default", name="production") == renamed

        Poller(client, renamed, "rasa-1", claims="live").poll()
        environments.forget_unused_aliases()
        assert environment_named(slug="default", name="production") is None

    def test_it_takes_its_former_name_back(self, production):
        update_environment(actor=None, environment=production, name="live")
        update_environment(actor=None, environment=production, name="production")

        assert [alias.name for alias in production.aliases.all()] == ["live"]

    @pytest.mark.parametrize(("name", "what"), [("worker", "an environment"), ("candidate", "a tag")])
    def test_a_taken_name_is_refused(self, assistant, production, name, what):
        set_tag(actor=None, model=make_model(assistant), name="candidate")

        with pytest.raises(Conflict, match=f"There is already {what} called {name}"):
            update_environment(actor=None, environment=production, name=name)

    def test_a_name_no_address_can_have_is_refused(self, production):
        with pytest.raises(Invalid):
            update_environment(actor=None, environment=production, name="Live!")


class TestRemoving:
    def test_history_stays_and_polls_end(self, client, production, assistant, django_capture_on_commit_callbacks):
        promote(actor=None, environment=production, model=make_model(assistant))
        with django_capture_on_commit_callbacks(execute=True):
            remove_environment(actor=None, environment=production)

        assert production.promotions.count() == 1
        assert client.get(address("production"), {"token": token_of(production)}).status_code == 401

    def test_its_tag_becomes_a_free_one_and_is_adopted_again(self, assistant, production):
        model = make_model(assistant)
        promote(actor=None, environment=production, model=model)
        remove_environment(actor=None, environment=production)

        assert Tag.objects.get(name="production").kind == Tag.Kind.FREE
        again = create_environment(actor=None, assistant=assistant, name="production")
        assert again.tag.model == model

    def test_a_tag_without_model_goes_too(self, production):
        remove_environment(actor=None, environment=production)

        assert not Tag.objects.filter(name="production").exists()

    def test_a_second_removal_is_told_so(self, production):
        remove_environment(actor=None, environment=production)

        with pytest.raises(Conflict, match="removed meanwhile"):
            remove_environment(actor=None, environment=production)


def test_what_a_server_says_of_itself_is_kept(client, production):
    Poller(client, production, "rasa-1").poll()

    note_server(environment=production, version="3.6.21", minimum_compatible_version="3.5.0")

    production.refresh_from_db()
    assert (production.server_version, production.server_minimum_version) == ("3.6.21", "3.5.0")
    assert production.replicas.get().rasa_version == "3.6.21"


@pytest.mark.parametrize("name", ["", "UPPER", "a b", "-x", "x" * 64, "a/b", "nul\0"])
def test_no_environment_is_made_under_a_name_that_no_address_can_have(assistant, name):
    with pytest.raises(Invalid, match="Use 1 to 63 small letters"):
        create_environment(actor=None, assistant=assistant, name=name)
    assert not Tag.objects.filter(name=name.replace("\0", "")).exists()
