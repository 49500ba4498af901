"""API tokens: their form, whose they are, how wide they may be, and how they end."""

import inspect
from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from models_app.models import Assistant
from studio.access.models import ApiToken, User
from studio.access.permissions import EVERYWHERE, Permission, Scope
from studio.access.rights import Beyond
from studio.access.services import people, tokens
from studio.audit.models import AuditEvent
from studio.errors import Conflict, Invalid
from studio.web.ratelimit import TooMany
from tests.factories import environment_of, make_assistant, make_person

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"
MODELS = {Permission.MODELS_VIEW}


@pytest.fixture(autouse=True)
def _empty(redis_client) -> None: ...


@pytest.fixture
def admin(db) -> User:
    return make_person("admin", username="admin")


@pytest.fixture
def cafe(db) -> Assistant:
    return make_assistant("cafe", "Café Lumen")


def make(user: User, **options) -> tokens.Made:
    facts = {"name": "build", "permissions": MODELS, **options}
    return tokens.make(actor=facts.pop("actor", user), user=user, **facts)


def wrong(made: tokens.Made) -> str:
    return f"parley_{made.row.key}.{'A' * 43}"


# --- Form -------------------------------------------------------------------------------------------------------------


@given(st.text())
def test_no_text_breaks_the_parser_and_what_it_takes_it_gives_back(text: str) -> None:
    key, secret = tokens.parse(text)
    assert (key, secret) == tokens.NO_PARTS or text == f"parley_{key}.{secret}"


@given(st.from_regex(tokens._FORM, fullmatch=True))
def test_every_text_of_the_form_has_two_parts(text: str) -> None:
    key, secret = tokens.parse(text)
    assert (len(key), len(secret)) == (12, 43)


@given(st.from_regex(tokens._FORM, fullmatch=True), st.sampled_from(["\n", " ", "\0", "x", "é"]))
def test_nothing_may_stand_before_or_behind_a_token(text: str, more: str) -> None:
    assert tokens.parse(text + more) == tokens.parse(more + text) == tokens.NO_PARTS


def test_a_token_has_the_documented_form_and_its_row_holds_no_secret(admin) -> None:
    made = make(admin)
    key, secret = tokens.parse(made.text)
    row = ApiToken.objects.values().get()
    assert key == made.row.key and len(secret) == 43
    assert secret not in str(row) and secret.encode() not in bytes(row["digest"])
    assert secret not in str(list(AuditEvent.objects.values()))


def test_no_two_tokens_are_alike(admin) -> None:
    assert len({make(admin).text for _ in range(20)}) == 20


# --- How wide ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("permission", [Permission.PEOPLE_MODIFY, Permission.ENVIRONMENTS_MODIFY_PROTECTED])
def test_nobody_makes_a_token_with_a_permission_they_do_not_hold(db, permission) -> None:
    annotator = make_person("annotator")
    with pytest.raises(Beyond):
        make(annotator, permissions={permission})
    assert not ApiToken.objects.exists()


def test_nobody_makes_a_token_for_more_places_than_their_own(cafe) -> None:
    worker, production = environment_of(cafe, "worker"), environment_of(cafe)
    person = make_person("annotator", Scope(cafe.pk, worker.pk))
    for scope in (EVERYWHERE, Scope(cafe.pk), Scope(cafe.pk, production.pk)):
        with pytest.raises(Beyond):
            make(person, scope=scope)
    assert make(person, scope=Scope(cafe.pk, worker.pk)).row.environment_id == worker.pk


def test_a_service_accounts_token_is_no_wider_than_the_person_who_makes_it(admin) -> None:
    lesser, robot = make_person("tester"), make_person("admin")
    with pytest.raises(Beyond):
        make(robot, actor=lesser)
    assert make(robot, actor=admin).row.created_by == admin


@pytest.mark.parametrize(
    "options", [{"permissions": []}, {"expires_at": timezone.now() - timedelta(seconds=1)}], ids=["none", "past"]
)
def test_a_token_without_permissions_or_future_is_refused(admin, options) -> None:
    with pytest.raises(Invalid):
        make(admin, **options)


# --- Whose ------------------------------------------------------------------------------------------------------------


def test_the_right_token_is_its_user_narrowed_to_it(admin, cafe) -> None:
    found = tokens.authenticate(make(admin, scope=Scope(cafe.pk)).text, HERE)
    assert found.user == admin
    assert found.user.may(Permission.MODELS_VIEW, Scope(cafe.pk))
    assert not found.user.may(Permission.MODELS_VIEW)
    assert not found.user.may_somewhere(Permission.PEOPLE_MODIFY)


def test_a_token_loses_what_its_user_loses(admin) -> None:
    made = make(admin)
    admin.grants.all().delete()
    assert not tokens.authenticate(made.text, HERE).user.may_somewhere(Permission.MODELS_VIEW)


def _expire(row: ApiToken) -> None:
    ApiToken.objects.filter(pk=row.pk).update(expires_at=timezone.now() - timedelta(seconds=1))


def _revoke(row: ApiToken) -> None:
    tokens.revoke(actor=row.user, token=row)


def _shut_out(row: ApiToken) -> None:
    User.objects.filter(pk=row.user_id).update(is_active=False)


@pytest.mark.parametrize("end", [_expire, _revoke, _shut_out])
def test_a_token_that_has_ended_lets_nobody_in(admin, end) -> None:
    made = make(admin)
    assert tokens.authenticate(made.text, HERE) is not None
    end(made.row)
    assert tokens.authenticate(made.text, ELSEWHERE) is None


def test_wrong_unknown_and_unreadable_texts_let_nobody_in(admin) -> None:
    made = make(admin)
    texts = [wrong(made), made.text[:-1], f"parley_{'a' * 12}.{'A' * 43}", "", "parley_", "\0", "Bearer x"]
    assert [tokens.authenticate(text, HERE) for text in texts] == [None] * len(texts)


def test_unknown_keys_are_compared_as_known_ones_are(admin, monkeypatch) -> None:
    """Every text takes one look-up and one comparison of constant time, so that no answer is quicker."""
    compared = []
    monkeypatch.setattr(tokens.hmac, "compare_digest", lambda one, other: bool(compared.append((one, other))))
    made = make(admin)
    for text in (made.text, wrong(made), f"parley_{'a' * 12}.{'A' * 43}", "nonsense"):
        tokens.authenticate(text, HERE)
    assert [(len(one), len(other)) for one, other in compared] == [(32, 32)] * 4
    assert "==" not in inspect.getsource(tokens.authenticate).split("is_known_here")[0]


def test_the_last_use_is_written_at_most_once_a_minute(admin, time_machine_travel, django_assert_num_queries) -> None:
    made = make(admin)
    tokens.authenticate(made.text, HERE)
    first = ApiToken.objects.get()
    with django_assert_num_queries(1):
        tokens.authenticate(made.text, HERE)
    assert (first.last_used_from, first.last_used_at is None) == (HERE, False)
    time_machine_travel(61)
    tokens.authenticate(made.text, ELSEWHERE)
    assert ApiToken.objects.get().last_used_from == ELSEWHERE


# --- Ending and replacing ---------------------------------------------------------------------------------------------


def test_revoking_twice_is_refused(admin) -> None:
    made = make(admin)
    _revoke(made.row)
    with pytest.raises(Conflict):
        _revoke(made.row)


def test_a_rotated_token_works_beside_the_new_one_until_its_time(admin, time_machine_travel) -> None:
    old = make(admin, expires_at=timezone.now() + timedelta(days=30))
    new = tokens.rotate(actor=admin, token=old.row, overlap=timedelta(hours=1))
    assert tokens.authenticate(old.text, HERE) and tokens.authenticate(new.text, HERE)
    assert (new.row.permissions, new.row.name) == (old.row.permissions, old.row.name)
    assert new.row.expires_at - timezone.now() > timedelta(days=29)
    time_machine_travel(3601)
    assert tokens.authenticate(old.text, HERE) is None
    assert tokens.authenticate(new.text, HERE)


def test_without_overlap_the_old_token_ends_at_once(admin) -> None:
    old = make(admin)
    tokens.rotate(actor=admin, token=old.row, overlap=timedelta())
    assert tokens.authenticate(old.text, HERE) is None


def test_rotating_never_lengthens_the_old_tokens_life(admin) -> None:
    ends = timezone.now() + timedelta(hours=2)
    old = make(admin, expires_at=ends)
    tokens.rotate(actor=admin, token=old.row, overlap=timedelta(days=7))
    assert ApiToken.objects.get(pk=old.row.pk).expires_at == ends


@pytest.mark.parametrize("overlap", [timedelta(days=7, seconds=1), timedelta(seconds=-1)])
def test_an_overlap_of_more_than_a_week_is_refused(admin, overlap) -> None:
    with pytest.raises(Invalid):
        tokens.rotate(actor=admin, token=make(admin).row, overlap=overlap)


def test_a_token_is_rotated_once(admin) -> None:
    old = make(admin).row
    tokens.rotate(actor=admin, token=old, overlap=timedelta(days=1))
    with pytest.raises(Conflict):
        tokens.rotate(actor=admin, token=old, overlap=timedelta(days=1))


def test_nobody_rotates_a_token_that_is_wider_than_they_are(admin) -> None:
    wide = make(admin, permissions={Permission.PEOPLE_MODIFY}).row
    with pytest.raises(Beyond):
        tokens.rotate(actor=make_person("annotator"), token=wide, overlap=timedelta())


def test_shutting_somebody_out_ends_their_tokens_for_good(admin) -> None:
    mara = make_person("annotator")
    made = make(mara)
    people.set_active(actor=admin, person=mara, is_active=False)
    people.set_active(actor=admin, person=mara, is_active=True)
    assert tokens.authenticate(made.text, HERE) is None


# --- Rate limits ------------------------------------------------------------------------------------------------------


def fail(made: tokens.Made, times: int, address: str = ELSEWHERE) -> None:
    for _ in range(times):
        assert tokens.authenticate(wrong(made), address) is None


def test_an_address_that_fails_too_often_is_stopped_even_with_the_right_token(admin) -> None:
    made = make(admin)
    for number in range(tokens.FAILURES_BY_ADDRESS.most):  # keys of its own each time
        tokens.authenticate(f"nonsense {number}", ELSEWHERE)
    with pytest.raises(TooMany) as refused:
        tokens.authenticate(made.text, ELSEWHERE)
    assert 0 < refused.value.seconds <= tokens.FAILURES_BY_ADDRESS.seconds
    assert tokens.authenticate(made.text, HERE)


def test_a_key_guessed_from_many_addresses_is_stopped_everywhere(admin) -> None:
    made = make(admin)
    for number in range(tokens.FAILURES_BY_KEY.most):
        fail(made, 1, f"198.51.100.{number}")
    with pytest.raises(TooMany):
        tokens.authenticate(wrong(made), "203.0.113.1")


def test_nobody_stops_a_script_by_failing_in_its_name_or_beside_it(admin) -> None:
    made = make(admin)
    tokens.authenticate(made.text, HERE)
    fail(made, tokens.FAILURES_BY_KEY.most, HERE)
    assert tokens.authenticate(made.text, HERE)


def test_a_busy_script_is_not_stopped_by_its_own_success(admin) -> None:
    made = make(admin)
    for _ in range(2 * tokens.FAILURES_BY_ADDRESS.most):
        assert tokens.authenticate(made.text, HERE)


def test_one_token_used_far_too_often_has_to_wait(admin, monkeypatch) -> None:
    made = make(admin)
    monkeypatch.setattr(tokens, "USES", tokens.Window("token-uses", most=2, seconds=60))
    tokens.authenticate(made.text, HERE)
    tokens.authenticate(made.text, HERE)
    with pytest.raises(TooMany):
        tokens.authenticate(made.text, HERE)
    assert tokens.authenticate(make(admin).text, HERE)
