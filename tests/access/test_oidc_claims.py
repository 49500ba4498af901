"""From claims to a person: pure."""

import pytest

from studio.access.oidc.claims import Naming, find, groups_of, read, roles_of
from studio.access.oidc.keycloak import account_console, admin_page

SSO = {"iss": "https://id.example.com/realms/a", "sub": "f3"}


def roles(claims: dict[str, object], *paths: str, map: tuple[tuple[str, str], ...] = ()) -> set[str]:
    return set(roles_of(claims, Naming(roles=paths, role_map=map)))


def test_roles_are_read_from_the_claims_that_the_settings_name() -> None:
    claims = {
        "realm_access": {"roles": ["admin"]},
        "resource_access": {"parley-web": {"roles": ["tester"]}, "my.client": {"roles": ["annotator"]}},
    }
    assert roles(claims, "realm_access.roles") == {"admin"}
    assert roles(claims, "resource_access.parley-web.roles") == {"tester"}
    assert roles(claims, "resource_access.my.client.roles", "realm_access.roles") == {"annotator", "admin"}


def test_a_claim_whose_name_is_an_address_is_found() -> None:
    assert find({"https://example.com/roles": ["admin"]}, "https://example.com/roles") == ["admin"]


def test_a_mapped_name_stands_for_its_roles_alone() -> None:
    mapping = (("staff", "annotator"), ("staff", "tester"), ("admin", "tester"))
    assert roles({"groups": ["staff"]}, "groups", map=mapping) == {"annotator", "tester"}
    assert roles({"groups": ["admin", "other"]}, "groups", map=mapping) == {"tester", "other"}


@pytest.mark.parametrize("value", [None, 7, {"a": "b"}, [7, None, {"a": 1}], "", [""], ["x" * 256]])
def test_a_claim_of_another_shape_names_no_role(value: object) -> None:
    assert roles({"realm_access": {"roles": value}}, "realm_access.roles") == set()
    assert roles({"realm_access": value}, "realm_access.roles") == set()


def test_one_role_may_come_without_a_list() -> None:
    assert roles({"role": "admin"}, "role") == {"admin"}


def test_groups_are_sorted_and_a_path_begins_without_its_slash() -> None:
    assert groups_of({"groups": ["/team/b", "a", "a"]}, Naming()) == ("a", "team/b")


def test_who_has_no_user_name_is_called_by_address_and_else_by_subject() -> None:
    assert read({**SSO, "preferred_username": "Mara", "email": "m@example.com"}, Naming()).username == "Mara"
    assert read({**SSO, "email": "m@example.com"}, Naming()).username == "m@example.com"
    assert read(SSO, Naming()).username == "f3"


def test_names_hold_nothing_that_a_column_or_a_page_cannot() -> None:
    found = read({**SSO, "preferred_username": "a b\0/<c>", "name": "M\0" + "x" * 300, "email": "x" * 255}, Naming())
    assert (found.username, len(found.name), found.email) == ("a-b-c-", 200, "")


def test_claims_that_answer_everything_leave_nothing_to_ask_for() -> None:
    whole = {"preferred_username": "mara", "groups": [], "realm_access": {"roles": []}}
    assert Naming().are_in(whole)
    assert not any(Naming().are_in({k: v for k, v in whole.items() if k != left_out}) for left_out in whole)


def test_keycloaks_pages_are_known_and_those_of_others_are_not() -> None:
    from studio.access.models import Identity

    person = Identity(issuer="https://id.example.com/auth/realms/parley", subject="f3/../x")
    assert account_console(person.issuer) == "https://id.example.com/auth/realms/parley/account"
    where = "https://id.example.com/auth/admin/master/console/#/parley/users/f3%2F..%2Fx/settings"
    assert admin_page(person) == where
    assert account_console("https://accounts.google.com") == ""
    assert admin_page(Identity(issuer="https://accounts.google.com", subject="1")) == ""
