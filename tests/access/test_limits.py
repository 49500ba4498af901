"""What an API token leaves of its user's grants."""

import pytest

from studio.access.models import Grant, Role, User
from studio.access.permissions import EVERYWHERE, Limit, Permission, Scope
from tests.factories import make_person

READ = frozenset({Permission.MODELS_VIEW})
CAFE, CAFE_WORKER, BANK = Scope(1), Scope(1, 7), Scope(2)


def narrowed(limit: Scope, held: Scope) -> list[tuple[Scope, frozenset[str]]]:
    return Limit(READ, limit).narrowed([(held, READ | {Permission.TALK})])


@pytest.mark.parametrize(
    ("limit", "held", "left"),
    [
        (EVERYWHERE, CAFE, CAFE),
        (CAFE, EVERYWHERE, CAFE),
        (CAFE_WORKER, CAFE, CAFE_WORKER),
        (CAFE, CAFE_WORKER, CAFE_WORKER),
    ],
)
def test_the_smaller_scope_and_the_common_permissions_stay(limit: Scope, held: Scope, left: Scope) -> None:
    assert narrowed(limit, held) == [(left, READ)]


@pytest.mark.parametrize(("limit", "held"), [(BANK, CAFE), (Scope(1, 8), CAFE_WORKER)])
def test_scopes_that_do_not_meet_leave_nothing(limit: Scope, held: Scope) -> None:
    assert narrowed(limit, held) == []


@pytest.mark.django_db
def test_a_group_grant_counts_for_its_members_alone() -> None:
    role = Role.objects.create(name="reader", permissions=sorted(READ))
    Grant.objects.create(group="/editors", role=role, assistant_id=1)
    member = User.objects.create(username="mira", groups=["/editors"])
    other = User.objects.create(username="noor", groups=["/editors/seniors"])
    assert member.may(Permission.MODELS_VIEW, CAFE_WORKER)
    assert not member.may(Permission.MODELS_VIEW, BANK)
    assert not other.may_somewhere(Permission.MODELS_VIEW)


@pytest.mark.django_db
def test_a_limited_user_holds_no_more_than_the_limit() -> None:
    role = Role.objects.create(name="reader", permissions=sorted(READ | {Permission.TALK}))
    user = User.objects.create(username="mira")
    Grant.objects.create(user=user, role=role)
    user.limit = Limit(READ, CAFE)
    assert user.may(Permission.MODELS_VIEW, CAFE)
    assert not user.may(Permission.MODELS_VIEW)
    assert not user.may_somewhere(Permission.TALK)
    assert user.assistants_with(Permission.MODELS_VIEW) == {1}


@pytest.mark.django_db
def test_a_hundred_rows_are_asked_about_with_one_query(django_assert_num_queries) -> None:
    pk = make_person("annotator", Scope(1, 7)).pk
    person = User.objects.get(pk=pk)
    with django_assert_num_queries(1):
        may = [person.may(Permission.ENVIRONMENTS_MODIFY, Scope(1, number)) for number in range(100)]
    assert [number for number, yes in enumerate(may) if yes] == [7]
