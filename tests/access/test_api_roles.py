"""/api/roles, /api/grants, /api/services and /api/tokens."""

import time

import pytest

from studio.access.models import ApiToken, Grant, KeptAnswer, Role, User
from studio.access.permissions import Permission, Scope
from studio.access.services.roles import save_role
from studio.access.services.service_accounts import make_service
from studio.audit.models import AuditEvent
from tests.access.api import Caller
from tests.access.test_api_people import audited, failed
from tests.factories import make_assistant, make_person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _empty(redis_client) -> None: ...


@pytest.fixture
def admin() -> Caller:
    return Caller(make_person("admin", username="admin"))


def test_a_role_is_made_changed_and_deleted(admin) -> None:
    made = admin.post("/roles", {"role": "writer", "description": "Writes.", "grants": ["nlu.modify"]})
    whole = {"role": "writer", "description": "Writes.", "is_default": False, "grants": ["nlu.modify", "nlu.view"]}
    assert (made.status_code, made.json()) == (201, whole)
    assert admin.get("/roles/writer").json() == whole
    assert admin.put("/roles/writer", {**whole, "is_default": True}).json() == {**whole, "is_default": True}
    assert admin.put("/roles/writer", {"role": "author"}).json()["grants"] == whole["grants"]
    assert admin.delete("/roles/author").status_code == 204
    assert failed(admin.get("/roles/author")) == (404, "NotFound")
    assert audited("role-deleted").actor == admin.user


def test_the_list_of_roles(admin) -> None:
    answer = admin.get("/roles")
    assert [one["role"] for one in answer.json()] == ["admin", "annotator", "tester"]
    assert answer["X-Total-Count"] == "3"
    assert set(answer.json()[0]["grants"]) == set(Permission)


@pytest.mark.parametrize(
    "body",
    [
        {"role": "a b", "grants": []},
        {"role": "new", "grants": ["fly"]},
        {"role": "new", "grants": None},
        {"role": "new"},
    ],
)
def test_what_is_no_role_is_refused(admin, body) -> None:
    assert failed(admin.post("/roles", body)) == (422, "Invalid")


def test_roles_that_must_stay_stay(admin) -> None:
    assert failed(admin.post("/roles", {"role": "tester", "grants": []})) == (409, "Conflict")
    assert failed(admin.put("/roles/admin", {"grants": []})) == (422, "Invalid")
    assert failed(admin.delete("/roles/tester")) == (409, "Conflict")
    narrow = Caller(admin.user, {Permission.PEOPLE_MODIFY})
    assert failed(narrow.put("/roles/tester", {"grants": []})) == (403, "Beyond")


def test_who_holds_a_role_everywhere_is_set_as_a_whole(admin) -> None:
    for name in ("anna", "berta"):
        make_person("tester", username=name)
    carla = make_person("tester", Scope(make_assistant("cafe").pk), username="carla")
    rows = admin.get("/roles/tester/users").json()
    assert rows == [{"username": name, "name": "", "email": ""} for name in ("anna", "berta")]
    assert admin.put("/roles/tester/users", ["anna", {"username": "admin"}]).status_code == 204
    assert [one["username"] for one in admin.get("/roles/tester/users").json()] == ["admin", "anna"]
    assert Grant.objects.filter(user=carla).exists()
    assert failed(admin.put("/roles/admin/users", [])) == (409, "Conflict")
    assert failed(admin.put("/roles/tester/users", ["nobody"])) == (422, "NoSuchUser")


def test_the_admin_role_is_handed_over_in_one_step(admin) -> None:
    make_person("tester", username="anna")
    assert admin.put("/roles/admin/users", ["anna"]).status_code == 204
    assert admin.get("/users").status_code == 403


def test_a_ready_made_role_is_added_once(admin) -> None:
    offers = {one["role"]: one for one in admin.get("/ready-made-roles").json()}
    assert (offers["tester"]["is_here"], offers["nlu-editor"]["is_here"]) == (True, False)
    assert admin.post("/ready-made-roles", {"role": "nlu-editor"}).json()["grants"] == offers["nlu-editor"]["grants"]
    assert failed(admin.post("/ready-made-roles", {"role": "nlu-editor"})) == (409, "Conflict")
    assert failed(admin.post("/ready-made-roles", {"role": "none"})) == (422, "NoSuchRole")


# --- Grants ---------------------------------------------------------------------------------------------------------


def test_a_grant_in_a_place_is_given_listed_and_taken(admin) -> None:
    make_assistant("cafe", "Café")
    make_person(username="mara")
    body = {"role": "tester", "username": "Mara", "project": "cafe", "environment": "worker"}
    made = admin.post("/grants", body)
    assert made.status_code == 201
    assert made.json().items() >= {**body, "username": "mara", "given_by": "admin", "group": None}.items()
    assert admin.get("/grants?project=cafe&environment=worker").json() == [made.json()]
    assert admin.get("/grants?project=cafe").json() == []
    assert [one["username"] for one in admin.get("/grants?everywhere=true").json()] == ["admin"]
    assert admin.delete(f"/grants/{made.json()['id']}").status_code == 204
    assert admin.delete(f"/grants/{made.json()['id']}").status_code == 404
    assert admin.delete(f"/grants/{10**30}").status_code == 404


def test_a_group_gets_a_role(admin) -> None:
    made = admin.post("/grants", {"role": "tester", "group": "staff"}).json()
    assert (made["username"], made["group"], made["project"]) == (None, "staff", None)


def test_a_grant_in_a_place_that_is_gone_does_not_read_as_everywhere(admin) -> None:
    cafe = make_assistant("cafe", "Café")
    admin.post("/grants", {"role": "tester", "group": "staff", "project": "cafe"})
    type(cafe).objects.filter(pk=cafe.pk).update(deleted_at=cafe.created_at)
    found = admin.get("/grants?q=staff").json()[0]
    assert (found["project"], found["where"], found["gone"]) == (None, "Café", True)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"role": "tester"}, "Invalid"),
        ({"role": "tester", "username": "admin", "group": "staff"}, "Invalid"),
        ({"role": "none", "username": "admin"}, "NoSuchRole"),
        ({"role": "tester", "username": "nobody"}, "NoSuchUser"),
        ({"role": "tester", "username": "admin", "project": "none"}, "NoSuchPlace"),
    ],
)
def test_what_is_no_grant_is_refused(admin, body, reason) -> None:
    assert failed(admin.post("/grants", body)) == (422, reason)


def test_the_list_of_grants_costs_the_same_for_any_number(admin, django_assert_num_queries) -> None:
    admin.get("/grants")
    with django_assert_num_queries(7):
        admin.get("/grants")
    for number in range(3):
        admin.post("/grants", {"role": "tester", "group": f"staff-{number}"})
    with django_assert_num_queries(7):
        admin.get("/grants")


# --- Service accounts and tokens ------------------------------------------------------------------------------------


def test_a_service_account_gets_a_role_and_a_token_that_works(admin) -> None:
    made = admin.post("/services", {"username": "robot", "description": "Builds."})
    assert (made.status_code, made.json()["description"], made.json()["active"]) == (201, "Builds.", True)
    assert failed(admin.post("/services", {"username": "ROBOT"})) == (409, "Conflict")
    assert admin.put("/services/robot", {"description": "Trains."}).json()["description"] == "Trains."
    assert [one["username"] for one in admin.get("/services").json()] == ["robot"]
    admin.post("/grants", {"role": "tester", "username": "robot"})
    token = admin.post("/users/robot/tokens", {"name": "ci", "permissions": ["talk"], "expires_at": None}).json()
    robot = Caller(admin.user)
    robot.text = token["token"]
    assert robot.get("/user").json()["roles"] == ["tester"]
    assert failed(admin.get("/services/admin")) == (404, "NotFound")


def test_a_token_is_shown_once_and_lasts_90_days_unless_said_otherwise(admin) -> None:
    made = admin.post("/user/tokens", {"name": "ci", "permissions": ["talk"]})
    body = made.json()
    assert made.status_code == 201
    assert body.pop("token").startswith(f"parley_{body['key']}.")
    row = ApiToken.objects.get(key=body["key"])
    assert row.expires_at is not None
    assert body == {
        "name": "ci",
        "key": row.key,
        "username": "admin",
        "project": None,
        "environment": None,
        "where": "Everywhere",
        "permissions": ["talk"],
        "state": "valid",
        "created_at": row.created_at.timestamp(),
        "expires_at": row.expires_at.timestamp(),
        "last_used_at": None,
        "revoked_at": None,
    }
    assert row.expires_at.timestamp() - time.time() == pytest.approx(90 * 86400, abs=60)
    assert body in admin.get("/user/tokens").json()
    assert admin.get(f"/tokens/{row.key}").json() == body


def test_the_same_request_makes_one_token_and_its_secret_is_kept_encrypted(admin) -> None:
    body = {"name": "ci", "permissions": ["talk"]}
    first, second = (admin.post("/user/tokens", body, **{"Idempotency-Key": "k"}) for _ in range(2))
    assert first.json() == second.json()
    assert first.json()["token"].encode() not in bytes(KeptAnswer.objects.get().body_encrypted)


@pytest.mark.parametrize(
    "changed",
    [
        {"permissions": []},
        {"permissions": ["fly"]},
        {"name": " "},
        {"expires_at": time.time() - 60},
        {"expires_at": 1e300},
        {"expires_at": 253_402_300_799},
        {"expires_at": "soon"},
        {"project": "none"},
    ],
)
def test_what_makes_no_token_is_refused(admin, changed) -> None:
    assert admin.post("/user/tokens", {"name": "ci", "permissions": ["talk"], **changed}).status_code == 422


def test_a_token_that_ends_in_the_farthest_future_is_rotated(admin) -> None:
    body = {"name": "ci", "permissions": ["talk"], "expires_at": 221_845_392_000}
    key = admin.post("/user/tokens", body).json()["key"]
    assert admin.post(f"/tokens/{key}/rotate").status_code == 201


def test_a_token_makes_none_wider_than_itself(admin) -> None:
    narrow = Caller(admin.user, {Permission.TALK})
    assert failed(narrow.post("/user/tokens", {"name": "ci", "permissions": ["share"]})) == (403, "Beyond")
    assert narrow.post("/user/tokens", {"name": "ci", "permissions": ["talk"]}).status_code == 201
    assert failed(narrow.post(f"/tokens/{admin.token.key}/rotate")) == (403, "Beyond")


def test_a_token_is_rotated_and_the_old_one_goes_on_for_a_while(admin) -> None:
    made = admin.post(f"/tokens/{admin.token.key}/rotate", {"overlap_hours": 1})
    assert made.status_code == 201
    old = admin.get(f"/tokens/{admin.token.key}").json()
    assert old["state"] == "replaced"
    assert old["expires_at"] - time.time() == pytest.approx(3600, abs=60)
    assert failed(admin.post(f"/tokens/{admin.token.key}/rotate")) == (409, "Conflict")
    assert admin.post(f"/tokens/{admin.token.key}/rotate", {"overlap_hours": 169}).status_code == 422


def test_of_other_people_tokens_are_seen_and_revoked_and_never_had(admin) -> None:
    mara = Caller(make_person("tester", username="mara"), {Permission.TALK})
    assert [one["key"] for one in admin.get("/users/mara/tokens").json()] == [mara.token.key]
    assert failed(admin.post("/users/mara/tokens", {"name": "ci", "permissions": ["talk"]})) == (403, "Forbidden")
    assert failed(admin.post(f"/tokens/{mara.token.key}/rotate")) == (404, "NotFound")
    assert mara.get(f"/tokens/{admin.token.key}").status_code == 404
    assert admin.delete(f"/tokens/{mara.token.key}").status_code == 204
    assert failed(admin.delete(f"/tokens/{mara.token.key}")) == (409, "Conflict")
    assert admin.get("/users/mara/tokens").json() == []
    assert [one["state"] for one in admin.get("/users/mara/tokens?all=true").json()] == ["revoked"]


def test_whoever_manages_no_people_learns_nothing_about_them(admin) -> None:
    mara = Caller(make_person("annotator", username="mara"), {Permission.TALK})
    make_service(actor=None, username="robot", description="")
    save_role(actor=None, role=None, name="writer", description="", permissions=[])
    for path in ("/users", "/users/none", "/roles", "/roles/none", "/grants", "/services/robot", "/access"):
        assert failed(mara.get(path)) == (403, "Forbidden"), path
    assert AuditEvent.objects.filter(action="access-refused", actor=mara.user).exists()
    assert Role.objects.count() == 4 and User.objects.count() == 3


@pytest.mark.parametrize("body", [[], "", 0, False, None])
@pytest.mark.parametrize("path", ["/roles/tester", "/users/admin", "/services/robot"])
def test_what_leaves_everything_out_is_still_an_object(admin, path, body) -> None:
    make_service(actor=None, username="robot", description="Builds.")
    assert admin.ask("PUT", path, body).status_code in {400, 422}


def test_yes_and_no_are_words_of_json(admin) -> None:
    assert admin.put("/users/admin/active", {"active": "yes"}).status_code == 422
    assert admin.put("/roles/tester", {"is_default": 1}).status_code == 422
