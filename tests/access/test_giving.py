"""Nobody gives what they do not have, and nobody can lock everybody out."""

from threading import Barrier, Thread

import pytest
from django.db import connection

from studio.access.models import Grant, Role, User
from studio.access.permissions import EVERYWHERE, Permission, Scope
from studio.access.rights import Beyond, beyond, why_not_become
from studio.access.services.grants import grant, grant_to_group, revoke
from studio.access.services.people import delete_person, set_active
from studio.access.services.roles import delete_role, save_role
from studio.audit.models import AuditEvent
from studio.errors import Conflict, Invalid
from tests.factories import make_person

pytestmark = pytest.mark.django_db
CAFE, WORKER, BAKERY = Scope(1), Scope(1, 7), Scope(2)
PEOPLE = "people.modify"


@pytest.fixture
def admin() -> User:
    return make_person("admin", username="admin")


def role(name: str, *permissions: str) -> Role:
    return save_role(actor=None, role=None, name=name, description="", permissions=permissions)


def holder(*given: tuple[Role, Scope], **fields: object) -> User:
    person = make_person()
    for one, scope in given:
        grant(actor=None, person=person, role=one, scope=scope)
    User.objects.filter(pk=person.pk).update(**fields)
    return User.objects.get(pk=person.pk)


@pytest.mark.parametrize(
    ("held", "asked", "missing"),
    [
        (EVERYWHERE, EVERYWHERE, False),
        (EVERYWHERE, WORKER, False),
        (CAFE, WORKER, False),
        (CAFE, EVERYWHERE, True),
        (CAFE, BAKERY, True),
        (WORKER, CAFE, True),
        (WORKER, Scope(1, 8), True),
    ],
)
def test_what_lies_beyond_somebody_depends_on_where(held: Scope, asked: Scope, missing: bool) -> None:
    person = holder((role("talker", "talk"), held))
    assert beyond(person, ["talk", "audit.view", "of.a.later.version"], asked) == (
        {Permission.TALK, Permission.AUDIT_VIEW} if missing else {Permission.AUDIT_VIEW}
    )


def test_a_role_is_given_by_whoever_holds_all_of_it_there(admin: User) -> None:
    manager = holder((role("manager", PEOPLE), EVERYWHERE), (Role.objects.get(name="tester"), CAFE))
    mara = make_person(username="mara")
    tester = Role.objects.get(name="tester")
    grant(actor=manager, person=mara, role=tester, scope=WORKER)
    for give in (
        lambda: grant(actor=manager, person=mara, role=tester, scope=BAKERY),
        lambda: grant(actor=manager, person=mara, role=Role.objects.get(name="annotator"), scope=CAFE),
        lambda: grant_to_group(actor=manager, group="everybody", role=tester),
        lambda: grant(actor=manager, person=manager, role=Role.objects.get(name="admin")),
    ):
        with pytest.raises(Beyond):
            give()
    assert Grant.objects.filter(user=mara).count() == 1


def test_the_refusal_names_what_is_missing(admin: User) -> None:
    manager = holder((role("manager", PEOPLE), EVERYWHERE))
    with pytest.raises(Beyond, match=r"“View analytics”, “Read the audit log” there yourself"):
        grant(actor=manager, person=manager, role=role("reader", "audit.view", "analytics.view"))
    with pytest.raises(Beyond, match=r" and 18 more there yourself"):
        grant(actor=manager, person=manager, role=Role.objects.get(name="admin"))


@pytest.mark.parametrize(
    ("had", "wanted"), [(["talk"], ["talk", "audit.view"]), (["audit.view"], []), (["audit.view"], ["audit.view"])]
)
def test_nobody_shapes_a_role_that_goes_beyond_them(admin: User, had: list[str], wanted: list[str]) -> None:
    """Also not by taking: it counts for people that they could not give it to."""
    manager = holder((role("manager", PEOPLE, "talk"), EVERYWHERE))
    shaped = role("shaped", *had)
    with pytest.raises(Beyond):
        save_role(actor=manager, role=shaped, name="shaped", description="", permissions=wanted, is_default=True)
    assert Role.objects.get(name="shaped").permissions == had


def test_who_holds_it_in_one_assistant_alone_shapes_no_role(admin: User) -> None:
    person = holder((Role.objects.get(name="admin"), CAFE))
    with pytest.raises(Beyond):
        save_role(actor=person, role=None, name="new", description="", permissions=["talk"])


def test_whoever_holds_more_is_not_to_be_become(admin: User) -> None:
    manager = holder((role("manager", PEOPLE), EVERYWHERE))
    assert why_not_become(manager, admin).endswith("there yourself.")
    assert why_not_become(admin, manager) == why_not_become(None, admin) == ""


# --- The last admin ---------------------------------------------------------------------------------------------------


def the_last_loses_it_by(way: str, admin: User) -> None:
    actor = make_person()
    match way:
        case "the role taken":
            revoke(actor=actor, grant=Grant.objects.get(role__name="admin"))
        case "shutting out":
            set_active(actor=actor, person=admin, is_active=False)
        case "deleting":
            delete_person(actor=actor, person=admin)


WAYS = ["the role taken", "shutting out", "deleting"]


@pytest.mark.parametrize("way", WAYS)
def test_the_last_admin_stays(admin: User, way: str) -> None:
    with pytest.raises(Conflict, match="last person who may manage people"):
        the_last_loses_it_by(way, admin)
    assert User.objects.get(pk=admin.pk).may(Permission.PEOPLE_MODIFY)
    assert not AuditEvent.objects.filter(action__in=["role-revoked", "person-deleted", "person-changed"]).exists()


@pytest.mark.parametrize("way", WAYS)
def test_an_admin_goes_when_another_stays(admin: User, way: str) -> None:
    held = Grant.objects.get(role__name="admin")
    other = holder((Role.objects.get(name="admin"), EVERYWHERE))
    assert other.is_active
    if way == "the role taken":
        revoke(actor=other, grant=held)
    else:
        the_last_loses_it_by(way, admin)
    assert not Grant.objects.filter(user=admin, user__is_active=True).exists()


@pytest.mark.parametrize("fields", [{"is_active": False}, {"awaits_identity": True}, {"kind": "service"}])
def test_who_cannot_come_in_is_no_other_admin(admin: User, fields: dict[str, object]) -> None:
    holder((Role.objects.get(name="admin"), EVERYWHERE), **fields)
    with pytest.raises(Conflict):
        set_active(actor=make_person(), person=admin, is_active=False)


def test_an_admin_of_one_assistant_is_no_other_admin(admin: User) -> None:
    holder((Role.objects.get(name="admin"), CAFE))
    with pytest.raises(Conflict):
        delete_person(actor=make_person(), person=admin)


def test_a_manager_of_people_who_may_nothing_else_is_no_other_admin(admin: User) -> None:
    """Nobody gives what they do not have: what the last whole admin holds would be lost to everybody for good."""
    holder((role("manager", PEOPLE), EVERYWHERE))
    with pytest.raises(Conflict, match="Nobody would be left who may do everything"):
        delete_person(actor=make_person(), person=admin)


def test_a_group_makes_an_admin_and_its_grant_is_the_last_one_too(admin: User) -> None:
    given = grant_to_group(actor=admin, group="ops", role=Role.objects.get(name="admin"))
    member = holder(groups=["ops", "all"])
    assert member.may(Permission.PEOPLE_MODIFY)
    delete_person(actor=member, person=admin)
    with pytest.raises(Conflict):
        revoke(actor=member, grant=given)
    assert AuditEvent.objects.get(action="role-granted", target_kind="grant").after == {
        "role": "admin",
        "where": "everywhere",
        "group": "ops",
    }


def test_a_role_that_makes_the_last_manager_keeps_that(admin: User) -> None:
    boss = role("boss", PEOPLE)
    Grant.objects.filter(user=admin).update(role=boss)
    with pytest.raises(Conflict):
        save_role(actor=None, role=boss, name="boss", description="", permissions=["talk"])
    assert Role.objects.get(name="boss").permissions == [PEOPLE]


@pytest.mark.django_db(transaction=True)
def test_two_admins_cannot_take_each_others_role_at_once() -> None:
    grants = [make_person("admin").grants.get() for _ in range(2)]
    both, refused = Barrier(2), []

    def take(mine: Grant, theirs: Grant) -> None:
        try:
            both.wait(5)
            revoke(actor=mine.user, grant=theirs)
        except Conflict as error:
            refused.append(error)
        finally:
            connection.close()

    threads = [Thread(target=take, args=pair) for pair in (grants, grants[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(refused) == 1
    assert Grant.objects.count() == 1


# --- Grants, deletion -------------------------------------------------------------------------------------------------


def test_a_grant_of_single_sign_on_is_not_taken_away_here(admin: User) -> None:
    mara = make_person()
    row = Grant.objects.create(user=mara, role=Role.objects.get(name="tester"), source="sso")
    with pytest.raises(Conflict, match="comes from Keycloak"):
        revoke(actor=admin, grant=row)


def test_by_hand_and_by_single_sign_on_are_two_grants(admin: User) -> None:
    mara = make_person()
    Grant.objects.create(user=mara, role=Role.objects.get(name="tester"), source="sso")
    grant(actor=admin, person=mara, role=Role.objects.get(name="tester"))
    assert sorted(mara.grants.values_list("source", flat=True)) == ["hand", "sso"]


def test_a_role_that_a_group_has_is_not_deleted(admin: User) -> None:
    own = role("own", "talk")
    given = grant_to_group(actor=admin, group="ops", role=own)
    grant(actor=admin, person=make_person(), role=own)
    with pytest.raises(Conflict, match="1 person and 1 group have this role"):
        delete_role(actor=admin, role=own)
    given.delete()
    with pytest.raises(Conflict, match="1 person has this role"):
        delete_role(actor=admin, role=own)


def test_a_deleted_person_leaves_history_and_nothing_else(admin: User) -> None:
    mara = make_person("tester", username="mara")
    set_active(actor=admin, person=mara, is_active=False)
    pk = mara.pk
    delete_person(actor=admin, person=mara)
    assert not User.objects.filter(pk=pk).exists()
    assert not Grant.objects.filter(user_id=pk).exists()
    told = AuditEvent.objects.filter(target_kind="user", target_id=str(pk))
    assert [event.target_label for event in told if event.action != "person-created"] == ["mara"] * 3
    assert told.get(action="person-deleted").before["roles"] == ["tester everywhere"]


def test_nobody_deletes_themselves(admin: User) -> None:
    make_person("admin")
    with pytest.raises(Invalid):
        delete_person(actor=admin, person=admin)
