"""/api by API token: what proves who one is, what is answered when nothing does, and what a token opens."""

import pytest
from django.test import Client

from models_app.models import Assistant
from studio.access.models import User
from studio.access.permissions import EVERYWHERE, Permission, Scope
from studio.access.services import api_sign_in, tokens
from studio.audit.models import AuditEvent
from tests.clients import client_of
from tests.factories import PASSWORD, environment_of, make_assistant, make_model, make_person

pytestmark = pytest.mark.django_db
SEES = {Permission.ENVIRONMENTS_VIEW, Permission.MODELS_VIEW}


@pytest.fixture(autouse=True)
def _empty(redis_client) -> None: ...


@pytest.fixture
def cafe() -> Assistant:
    return make_assistant("cafe", "Café Lumen")


@pytest.fixture
def admin() -> User:
    return make_person("admin", username="admin")


def token(user: User, scope: Scope = EVERYWHERE, permissions=SEES) -> str:
    return tokens.make(actor=user, user=user, name="build", permissions=permissions, scope=scope).text


def get(path: str, text: str = "", **query: str):
    headers = {"Authorization": f"Bearer {text}"} if text else {}
    return Client().get(f"/api{path}", query, headers=headers)


def test_a_token_is_shown_as_bearer_or_in_the_address(admin) -> None:
    text = token(admin)
    assert get("/user", text).json() == get("/user", api_token=text).json()
    assert Client().get("/api/user", headers={"Authorization": f"bearer {text}"}).status_code == 200


def test_one_answer_for_every_token_that_is_none(admin, cafe) -> None:
    good = token(admin)
    revoked = tokens.make(actor=admin, user=admin, name="old", permissions=SEES)
    tokens.revoke(actor=admin, token=revoked.row)
    shown = [
        "",
        "x",
        good[:-1] + "?",
        good.split(".")[0] + "." + "A" * 43,
        f"parley_{'a' * 12}.{'A' * 43}",
        revoked.text,
    ]
    answers = [get("/user", text) for text in shown]
    assert {answer.content for answer in answers} == {answers[0].content}
    assert {answer.status_code for answer in answers} == {401}
    assert answers[0].json() | {"version": ""} == {
        "version": "",
        "status": "failure",
        "message": "Show a valid API token: Authorization: Bearer parley_…",
        "reason": "NotAuthenticated",
        "details": {},
        "help": None,
        "code": 401,
    }
    assert answers[0]["WWW-Authenticate"] == "Bearer"
    assert not answers[0].cookies


def test_a_browsers_session_opens_nothing(admin, cafe) -> None:
    client = client_of(admin)
    for path in ("/api/user", "/api/projects/cafe/environments", "/api/projects/cafe/environments/production"):
        assert client.get(path).status_code == 401


def test_a_token_opens_no_page(admin) -> None:
    answer = Client().get("/settings/people/", headers={"Authorization": f"Bearer {token(admin)}"})
    assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/sign-in")


def test_a_token_says_whose_it_is_and_what_it_may_do(cafe) -> None:
    worker = environment_of(cafe, "worker")
    mara = make_person("annotator", Scope(cafe.pk), username="mara")
    answer = get("/user", token(mara, Scope(cafe.pk, worker.pk))).json()
    assert answer["username"] == "mara"
    assert answer["roles"] == ["annotator"]
    where = {"project": "cafe", "environment": "worker", "permissions": ["environments.view", "models.view"]}
    assert answer["grants"] == [{"role": "annotator", **where}]
    assert answer["token"].items() >= {"name": "build", "expires_at": None, **where}.items()


def test_the_environments_of_an_assistant_with_their_live_models(admin, cafe, promoted) -> None:
    answer = get("/projects/cafe/environments", token(admin))
    assert answer.status_code == 200
    by_name = {one["name"]: one for one in answer.json()}
    assert by_name["production"]["model"]["model"] == promoted.name
    assert by_name["production"]["model"]["hash"] == promoted.artifact_id
    assert by_name["production"]["protected"] is True
    assert by_name["worker"]["model"] is None


@pytest.fixture
def promoted(admin, cafe):
    from environments.services.promotion import promote

    model = make_model(cafe, "otter")
    promote(actor=admin, environment=environment_of(cafe), model=model, expected_current=None, reason="")
    return model


def test_a_token_for_one_environment_finds_no_other(admin, cafe) -> None:
    text = token(admin, Scope(cafe.pk, environment_of(cafe, "worker").pk))
    assert [one["name"] for one in get("/projects/cafe/environments", text).json()] == ["worker"]
    assert get("/projects/cafe/environments/worker", text).status_code == 200
    for name in ("production", "nowhere"):
        answer = get(f"/projects/cafe/environments/{name}", text)
        assert (answer.status_code, answer.json()["reason"]) == (404, "NotFound")


def test_an_assistant_that_a_token_may_not_see_is_as_one_that_does_not_exist(admin, cafe) -> None:
    make_assistant("bank")
    text = token(admin, Scope(cafe.pk))
    seen, unseen = get("/projects/bank/environments", text), get("/projects/nowhere/environments", text)
    assert (seen.status_code, seen.content) == (404, unseen.content)


def test_a_token_without_the_permission_sees_no_environment(admin, cafe) -> None:
    """Refused as the page is: an empty list would say that there are none."""
    text = token(admin, permissions={Permission.TALK})
    assert get("/projects/cafe/environments", text).status_code == 403
    assert get("/projects/cafe/environments/production", text).status_code == 404


def test_too_many_failures_are_told_when_to_come_back(admin) -> None:
    for _ in range(tokens.FAILURES_BY_ADDRESS.most):
        assert get("/user", "wrong").status_code == 401
    answer = get("/user", "wrong")
    assert (answer.status_code, answer.json()["reason"]) == (429, "TooManyRequests")
    assert 0 < int(answer["Retry-After"]) <= tokens.FAILURES_BY_ADDRESS.seconds


def test_a_sign_in_is_not_shut_out_by_its_neighbours_failures(admin) -> None:
    for _ in range(api_sign_in.FAILURES_BY_ADDRESS.most):
        assert get("/user", "a.b.c").status_code == 401
    assert get("/user", "a.b.c").status_code == 429
    assert get("/user", api_sign_in.token_for(admin)).status_code == 200


def test_a_wrong_token_counts_once_under_a_word_too(redis_client) -> None:
    headers = {"Authorization": "Bearer a.b.c", "Idempotency-Key": "k1"}
    for _ in range(api_sign_in.FAILURES_BY_ADDRESS.most):
        assert Client().post("/api/projects", {}, content_type="application/json", headers=headers).status_code == 401


def test_a_request_without_a_token_is_no_failure_to_count() -> None:
    for _ in range(tokens.FAILURES_BY_ADDRESS.most + 5):
        assert get("/user").status_code == 401


def test_versions_stay_public(cafe) -> None:
    assert get("/version").status_code == 200
    assert get("/projects/cafe/environments/production/version").status_code == 200


def test_a_password_is_no_token(admin) -> None:
    admin.set_password(PASSWORD)
    admin.save()
    assert get("/user", PASSWORD).status_code == 401


def test_the_permission_check_costs_the_same_for_any_number_of_environments(
    admin, cafe, django_assert_num_queries
) -> None:
    from environments.services.birth import create_environment

    text = token(admin)
    get("/user", text)  # writes the last use
    with django_assert_num_queries(6):  # token, grants, assistant, environments, promotions, replicas
        get("/projects/cafe/environments", text)
    for number in range(5):
        create_environment(actor=None, assistant=cafe, name=f"more-{number}")
    with django_assert_num_queries(6):
        get("/projects/cafe/environments", text)


def test_a_refused_token_is_in_the_audit_log_once_and_without_its_text(admin) -> None:
    for _ in range(3):
        get("/user", f"parley_{'a' * 12}.{'S' * 43}")
    row = AuditEvent.objects.get(action="token-refused")
    assert row.actor_label == "somebody with an API token"
    assert "SSSS" not in str(row.__dict__)
