"""Signing in through the real Keycloak with a real browser, and what ends it."""

import pytest

from studio.access.models import Identity, User

pytestmark = pytest.mark.stack


@pytest.mark.parametrize(("group", "role"), [("admins", "admin"), ("annotators", "annotator"), ("testers", "tester")])
def test_a_first_sign_in_brings_the_role_of_the_group(keycloak, somebody, group, role) -> None:
    subject = keycloak.add("mara", group)
    person = somebody()
    person.sign_in("mara")
    person.is_at("/settings/account")
    person.reads("Everywhere")
    found = User.objects.get(username="mara")
    assert [(grant.role.name, grant.source) for grant in found.grants.all()] == [(role, "sso")]
    assert (found.name, found.email, found.groups) == ("Mara of the tests", "mara@example.com", [group])
    assert Identity.objects.get(user=found).subject == subject
