"""/api/users, /api/user and sessions: people as Rasa Enterprise's scripts know them, and what is ours beside it."""

import json

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client

from studio.access.models import BrowserSession, Grant, Role, User
from studio.access.permissions import Permission, Scope
from studio.access.services.grants import grant, grant_to_group
from studio.access.services.sessions import Visitor, begin
from studio.audit.models import AuditEvent
from tests.access.api import Caller
from tests.factories import PASSWORD, environment_of, make_assistant, make_person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _empty(redis_client) -> None: ...


@pytest.fixture
def admin() -> Caller:
    return Caller(make_person("admin", username="admin"))


def role(name: str) -> Role:
    return Role.objects.get(name=name)


def failed(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["reason"]


def audited(action: str) -> AuditEvent:
    return AuditEvent.objects.filter(action=action).latest("pk")


def browser(person: User) -> BrowserSession:
    session = SessionStore()
    session.create()
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    return begin(actor=person, session=session, by=BrowserSession.By.PASSWORD, visitor=Visitor("127.0.0.1", agent))


def test_a_person_with_all_that_is_known_of_them(admin) -> None:
    cafe = make_assistant("cafe", "Café")
    mara = make_person("annotator", Scope(cafe.pk, environment_of(cafe, "worker").pk), username="mara")
    row = Grant.objects.get(user=mara)
    assert admin.get("/users/Mara").json() == {
        "username": "mara",
        "name": "",
        "email": "",
        "kind": "person",
        "state": "active",
        "groups": [],
        "identities": [],
        "roles": ["annotator"],
        "grants": [
            {
                "id": row.pk,
                "role": "annotator",
                "username": "mara",
                "group": None,
                "project": "cafe",
                "environment": "worker",
                "where": "Café · worker",
                "gone": False,
                "source": "hand",
                "given_by": None,
                "given_at": row.created_at.timestamp(),
            }
        ],
        "created_at": mara.created_at.timestamp(),
        "last_seen_at": None,
    }


def test_the_list_is_by_name_and_filtered_as_on_its_page(admin) -> None:
    for name in ("berta", "anna"):
        make_person("tester", username=name)
    assert [one["username"] for one in admin.get("/users").json()] == ["admin", "anna", "berta"]
    assert [one["username"] for one in admin.get("/users?role=tester&q=ber").json()] == ["berta"]
    first = admin.get("/users?limit=2")
    assert first["X-Total-Count"] == "3"
    assert [one["username"] for one in admin.get(f"/users?cursor={first['X-Next-Cursor']}").json()] == ["berta"]
    assert failed(admin.get("/users?role=none")) == (422, "Invalid")
    assert failed(admin.get("/users?q=%00")) == (400, "BadRequest")


def test_the_list_costs_the_same_for_any_number_of_people(admin, django_assert_num_queries) -> None:
    make_person("tester", username="anna")
    admin.get("/users")  # writes the last use of the token
    with django_assert_num_queries(9):
        admin.get("/users")
    for name in ("berta", "carla", "dora"):
        make_person("tester", username=name)
    with django_assert_num_queries(9):
        admin.get("/users")


def test_a_script_adds_a_person_with_a_password_who_signs_in(admin) -> None:
    body = {"username": "mara", "password": PASSWORD, "roles": ["tester", "annotator"]}
    made = admin.post("/users", body)
    assert (made.status_code, made.json()["roles"], made.json()["sign_in_link"]) == (201, ["annotator", "tester"], None)
    credentials = json.dumps({"username": "mara", "password": PASSWORD})
    assert Client().post("/api/auth", credentials, content_type="application/json").status_code == 200
    assert audited("person-created").actor == admin.user


def test_without_a_password_the_answer_holds_a_link_that_signs_in_once(admin) -> None:
    link = admin.post("/users", {"username": "mara", "role": "tester"}).json()["sign_in_link"]
    path = link.partition("//")[2].partition("/")[2]
    assert Client().post(f"/{path}")["Location"] == "/"
    assert Client().post(f"/{path}")["Location"] == "/sign-in"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"username": "a b", "role": "tester"}, "Invalid"),
        ({"username": "mara\n", "role": "tester"}, "Invalid"),
        ({"username": "mara", "role": "none"}, "NoSuchRole"),
        ({"username": "mara"}, "Invalid"),
        ({"username": "mara", "role": "tester", "email": "x"}, "Invalid"),
        ({"username": "mara", "role": "tester", "password": "short"}, "WeakPassword"),
        ({"username": "mara", "role": "tester", "project": "none"}, "NoSuchPlace"),
        ({"username": "mara", "role": "tester", "environment": "worker"}, "NoSuchPlace"),
        ({"username": "mara", "role": "tester", "single_sign_on": True}, "Invalid"),
    ],
)
def test_what_makes_no_person_is_refused_and_leaves_nobody(admin, body, reason) -> None:
    assert failed(admin.post("/users", body)) == (422, reason)
    assert not User.objects.filter(username__startswith="mara").exists()


def test_a_taken_name_is_a_conflict(admin) -> None:
    assert failed(admin.post("/users", {"username": "ADMIN", "role": "tester"})) == (409, "Conflict")


def test_nobody_gives_more_than_they_hold_nor_more_than_their_token(admin) -> None:
    narrow = Caller(admin.user, {Permission.PEOPLE_MODIFY})
    assert failed(narrow.post("/users", {"username": "mara", "role": "tester"})) == (403, "Beyond")
    assert failed(narrow.put("/users/admin/roles", ["admin", "tester"])) == (403, "Beyond")
    assert failed(narrow.post("/users/admin/sign-in-links")) == (403, "Forbidden")
    assert not User.objects.filter(username="mara").exists()


def test_a_person_is_changed_and_what_is_left_out_stays(admin) -> None:
    make_person("tester", username="mara")
    assert admin.put("/users/mara", {"name": "Mara", "email": "mara@example.com"}).json()["name"] == "Mara"
    assert admin.put("/users/mara", {"email": ""}).json()["name"] == "Mara"
    assert User.objects.get(username="mara").email == ""
    assert failed(admin.get("/users/nobody")) == (404, "NotFound")


def test_who_is_shut_out_is_out_and_let_in_again(admin) -> None:
    mara = make_person("tester", username="mara")
    caller = Caller(mara)
    assert admin.put("/users/mara/active", {"active": False}).json()["state"] == "out"
    assert caller.get("/user").status_code == 401
    assert admin.put("/users/mara/active", {"active": True}).json()["state"] == "active"
    assert failed(admin.put("/users/admin/active", {"active": False})) == (422, "Invalid")


def test_a_person_is_deleted_but_not_oneself(admin) -> None:
    make_person("tester", username="mara")
    assert admin.delete("/users/mara").status_code == 204
    assert audited("person-deleted").target_label == "mara"
    assert failed(admin.delete("/users/admin")) == (422, "Invalid")


def test_roles_everywhere_are_set_and_others_stay(admin) -> None:
    cafe = make_assistant("cafe")
    mara = make_person("tester", username="mara")
    grant(actor=None, person=mara, role=role("annotator"), scope=Scope(cafe.pk))
    answer = admin.put("/users/mara/roles", ["annotator"])
    assert [one["role"] for one in answer.json()] == ["annotator"]
    assert answer.json()[0].keys() == {"role", "description", "is_default", "grants"}
    held = {(row.role.name, row.assistant_id) for row in Grant.objects.filter(user=mara).select_related("role")}
    assert held == {("annotator", None), ("annotator", cafe.pk)}
    assert admin.put("/users/mara/roles", admin.get("/users/mara/roles").json()).json() == answer.json()
    assert admin.put("/users/mara/roles", []).json() == []
    assert (audited("role-granted").actor, audited("role-revoked").actor) == (admin.user, admin.user)


def test_the_last_admin_stays_and_what_single_sign_on_gave_too(admin) -> None:
    assert failed(admin.put("/users/admin/roles", ["tester"])) == (409, "Conflict")
    assert [one["role"] for one in admin.get("/users/admin/roles").json()] == ["admin"]
    mara = make_person("tester", username="mara")
    Grant.objects.create(user=mara, role=role("annotator"), source="sso")
    assert failed(admin.put("/users/mara/roles", ["tester"])) == (409, "Conflict")
    assert admin.put("/users/mara/roles", ["annotator"]).status_code == 200


@pytest.mark.parametrize("body", [{}, "tester", [1], [None], [{"rol": "tester"}], ["none"], [["tester"]]])
def test_what_is_no_list_of_roles_is_refused(admin, body) -> None:
    assert admin.put("/users/admin/roles", body).status_code == 422


def test_the_groups_role_is_in_the_person_and_not_in_the_roles_of_their_own(admin) -> None:
    mara = make_person(username="mara")
    User.objects.filter(pk=mara.pk).update(groups=["staff"])
    grant_to_group(actor=None, group="staff", role=role("tester"))
    assert admin.get("/users/mara").json()["roles"] == ["tester"]
    assert admin.get("/users/mara/roles").json() == []


def test_who_somebody_is_at_the_single_sign_on(admin) -> None:
    mara = make_person(username="mara")
    mara.identities.create(issuer="https://keycloak.example.com/realms/parley", subject="7")
    assert admin.get("/users/mara").json()["identities"] == [
        {
            "issuer": "https://keycloak.example.com/realms/parley",
            "subject": "7",
            "admin_page": "https://keycloak.example.com/admin/master/console/#/parley/users/7/settings",
        }
    ]


# --- Sessions and one's own account -------------------------------------------------------------------------------


def test_sessions_are_listed_and_ended(admin) -> None:
    mara = make_person("tester", username="mara")
    first, second = browser(mara), browser(mara)
    rows = admin.get("/users/mara/sessions").json()
    assert {row["id"] for row in rows} == {first.pk, second.pk}
    assert rows[0].items() >= {"browser": "Firefox on Linux", "by": "password", "address": "127.0.0.1"}.items()
    assert admin.delete(f"/users/admin/sessions/{first.pk}").status_code == 404
    assert admin.delete(f"/users/mara/sessions/{first.pk}").status_code == 204
    assert Caller(mara).delete("/user/sessions").status_code == 204
    assert Caller(mara).get("/user/sessions").json() == []


def test_a_narrow_token_ends_no_session_and_no_other_token_of_its_person(admin) -> None:
    row = browser(admin.user)
    narrow = Caller(admin.user, {Permission.TALK})
    assert failed(narrow.delete("/user/sessions")) == (403, "Beyond")
    assert failed(narrow.delete(f"/user/sessions/{row.pk}")) == (403, "Beyond")
    assert failed(narrow.delete(f"/tokens/{admin.token.key}")) == (403, "Beyond")
    assert narrow.delete(f"/tokens/{narrow.token.key}").status_code == 204
    assert narrow.get("/user").status_code == 401


def test_one_changes_ones_password_by_showing_the_old_one(admin, settings) -> None:
    admin.user.set_password(PASSWORD)
    admin.user.save()
    wrong = admin.put("/user/password", {"current": "wrong", "new": "another long password"})
    assert failed(wrong) == (400, "WrongPassword")
    assert failed(admin.put("/user/password", {"current": PASSWORD, "new": "x"})) == (422, "WeakPassword")
    body = {"current": PASSWORD, "new": "another long password"}
    assert admin.put("/user/password", body).status_code == 204
    admin.user.refresh_from_db()
    assert admin.user.check_password("another long password")
    for _ in range(settings.LOCKOUT_FAILURES):
        admin.put("/user/password", {"current": "wrong", "new": "another long password"})
    assert failed(admin.put("/user/password", body)) == (403, "LockedOut")


def test_of_people_of_the_single_sign_on_no_password_is_kept_here(admin, settings) -> None:
    settings.OIDC_ISSUER = "https://keycloak.example.com/realms/parley"
    admin.user.identities.create(issuer=settings.OIDC_ISSUER, subject="1")
    admin.user.set_password(PASSWORD)
    admin.user.save()
    body = {"current": PASSWORD, "new": "another long password"}
    assert failed(admin.put("/user/password", body)) == (409, "KeptElsewhere")


def test_a_first_password_is_set_by_no_program(admin) -> None:
    assert failed(admin.put("/user/password", {"current": "", "new": "a long password"})) == (409, "NoPassword")


# --- Rights ---------------------------------------------------------------------------------------------------------


def test_why_somebody_may_something(admin) -> None:
    cafe = make_assistant("cafe")
    make_person("tester", Scope(cafe.pk), username="mara")
    by_name = {one["permission"]: one for one in admin.get("/users/mara/access?project=cafe").json()}
    assert by_name["talk"]["held"] is True
    assert [one["role"] for one in by_name["talk"]["by"]] == ["tester"]
    assert by_name["share"] == {
        "permission": "share", "label": "Share the assistant by link", "held": False, "by": [], "partly_by": [],
    }  # fmt: skip
    everywhere = {one["permission"]: one for one in admin.get("/users/mara/access").json()}
    assert (everywhere["talk"]["held"], len(everywhere["talk"]["partly_by"])) == (False, 1)


def test_who_may_something_in_a_place(admin) -> None:
    cafe = make_assistant("cafe")
    make_person("tester", Scope(cafe.pk), username="mara")
    found = admin.get("/access?project=cafe&permission=talk").json()
    assert [(one["username"], one["permissions"][:1]) for one in found] == [("admin", ["talk"]), ("mara", ["talk"])]
    assert [one["username"] for one in admin.get("/access").json()] == ["admin"]
    assert admin.get("/access?permission=none").status_code == 422


def test_ones_own_access_names_no_place_that_is_not_ones_own(admin) -> None:
    cafe, _bank = make_assistant("cafe"), make_assistant("bank")
    mara = Caller(make_person("tester", Scope(cafe.pk), username="mara"), {Permission.TALK}, Scope(cafe.pk))
    assert mara.get("/user/access?project=cafe").status_code == 200
    assert failed(mara.get("/user/access?project=bank")) == (422, "NoSuchPlace")
