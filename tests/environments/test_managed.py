"""What people wish of managed servers."""

import pytest
from django.core.exceptions import PermissionDenied

from environments.models import Environment, ManagedServer
from environments.services import managed, server_logs
from environments.services.address import NoServer, ServerAddress, server_of
from environments.services.environments import update_environment
from environments.serving.files import interface_of
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from studio.crypto import encrypt
from studio.errors import Conflict
from tests.factories import environment_of, make_assistant, make_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def environment() -> Environment:
    return environment_of(make_assistant())


def test_run_here_makes_it_managed_with_a_corner_in_the_database(environment: Environment) -> None:
    server = managed.run_here(actor=None, environment=environment)
    assert environment.kind == Environment.Kind.MANAGED
    assert environment.database_key
    assert server.wanted


def test_run_here_forgets_the_server_of_the_team(environment: Environment) -> None:
    Environment.objects.filter(pk=environment.pk).update(
        kind=Environment.Kind.CONNECTED, url="http://rasa:5005", server_token_encrypted=encrypt("s")
    )
    managed.run_here(actor=None, environment=environment)
    assert (environment.url, bytes(environment.server_token_encrypted)) == ("", b"")


def test_run_here_twice_is_refused(environment: Environment) -> None:
    managed.run_here(actor=None, environment=environment)
    with pytest.raises(Conflict, match="run here already"):
        managed.run_here(actor=None, environment=environment)


@pytest.mark.parametrize("service", [managed.start_server, managed.stop_server, managed.restart_server])
def test_an_environment_without_a_server_here_has_nothing_to_start(environment: Environment, service) -> None:
    with pytest.raises(Conflict, match="No server runs here"):
        service(actor=None, environment=environment)


def test_stop_and_start_set_the_wish_and_are_audited(environment: Environment) -> None:
    person = make_person("admin")
    managed.run_here(actor=person, environment=environment)
    managed.stop_server(actor=person, environment=environment)
    assert not ManagedServer.objects.get().wanted
    managed.start_server(actor=person, environment=environment)
    assert ManagedServer.objects.get().wanted
    told = AuditEvent.objects.filter(actor=person).order_by("pk").values_list("action", flat=True)
    assert list(told) == [Action.ENVIRONMENT_CHANGED, Action.SERVER_STOPPED, Action.SERVER_STARTED]


def test_what_is_stopped_cannot_be_stopped_again(environment: Environment) -> None:
    managed.run_here(actor=None, environment=environment)
    managed.stop_server(actor=None, environment=environment)
    with pytest.raises(Conflict):
        managed.stop_server(actor=None, environment=environment)


def test_another_action_server_restarts_the_server(environment: Environment) -> None:
    managed.run_here(actor=None, environment=environment)
    update_environment(actor=None, environment=environment, action_server_url="http://actions:5055/webhook")
    assert ManagedServer.objects.get().restart_requested_at is not None


def test_another_change_leaves_the_server_running(environment: Environment) -> None:
    managed.run_here(actor=None, environment=environment)
    update_environment(actor=None, environment=environment, name="live")
    assert ManagedServer.objects.get().restart_requested_at is None


def test_who_may_not_modify_production_cannot_stop_it(environment: Environment) -> None:
    managed.run_here(actor=None, environment=environment)
    with pytest.raises(PermissionDenied):
        managed.stop_server(actor=make_person("annotator"), environment=environment)


def test_the_log_is_read_from_where_the_reader_was(environment: Environment, settings, tmp_path) -> None:
    settings.SERVERS_DIR = tmp_path
    assert server_logs.read_server_log(environment).text == ""
    managed.log_path(environment).parent.mkdir(parents=True)
    managed.log_path(environment).write_text("first\n")
    first = server_logs.read_server_log(environment)
    managed.log_path(environment).write_text("first\nsecond\n")
    assert (first.text, server_logs.read_server_log(environment, first.offset).text) == ("first\n", "second\n")


def test_what_was_set_aside_is_searched_and_given_out_too(environment: Environment, settings, tmp_path) -> None:
    settings.SERVERS_DIR = tmp_path
    log = managed.log_path(environment)
    log.parent.mkdir(parents=True)
    log.with_name(f"{log.name}.1").write_text("a fault of the night\n")
    log.write_text("a fault of the morning\n")
    assert server_logs.search_server_log(environment, "fault").total == 2
    assert "".join(server_logs.pieces_of(environment)) == "a fault of the night\na fault of the morning\n"


def test_a_log_that_is_set_aside_while_it_is_read_says_so(environment: Environment, settings, tmp_path) -> None:
    settings.SERVERS_DIR = tmp_path
    log = managed.log_path(environment)
    log.parent.mkdir(parents=True)
    log.write_text("a line\n")
    pieces = server_logs.pieces_of(environment)
    assert next(pieces) == "a line\n"
    log.with_name(f"{log.name}.1").write_text("a line\n")
    assert "load it once more" in "".join(pieces)


def test_the_address_of_a_connected_server_is_its_own(environment: Environment) -> None:
    environment.kind, environment.url = Environment.Kind.CONNECTED, "http://rasa:5005"
    environment.server_token_encrypted = encrypt("secret")
    assert server_of(environment) == ServerAddress("http://rasa:5005", "secret")


def test_an_environment_that_is_not_set_up_has_no_address(environment: Environment) -> None:
    with pytest.raises(NoServer, match="not set up"):
        server_of(environment)


def test_the_address_of_a_starting_server_is_not_given(environment: Environment) -> None:
    managed.run_here(actor=None, environment=environment)
    ManagedServer.objects.update(state=ManagedServer.State.STARTING, port=5005)
    with pytest.raises(NoServer, match="It is starting"):
        server_of(environment)


@pytest.mark.parametrize(("host", "interface"), [("127.0.0.1", "127.0.0.1"), ("controller", "0.0.0.0")])
def test_a_server_is_called_on_the_machine_of_the_controller(
    environment: Environment, settings, host, interface
) -> None:
    settings.SERVER_HOST = host
    managed.run_here(actor=None, environment=environment)
    ManagedServer.objects.update(state=ManagedServer.State.RUNNING, port=5005, token_encrypted=encrypt("t"))
    address = server_of(environment)
    assert (address.url, address.hosts) == (f"http://{host}:5005", (host,))
    assert interface_of(host) == interface
