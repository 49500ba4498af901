"""What somebody may do in one place, and why; and who may do what there."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from models_app.models import Assistant
from studio.access.models import Role, User
from studio.access.permissions import Permission, Scope
from studio.access.services.grants import grant, grant_to_group
from studio.access.services.people import set_active
from tests.access.page_fixtures import admin, cafe, client
from tests.clients import client_of
from tests.factories import environment_of, make_assistant, make_person

__all__ = ["admin", "cafe", "client"]

pytestmark = pytest.mark.django_db
OWN, WHO = "/settings/account/access", "/settings/access/"


@pytest.fixture
def mara(client: Client, cafe: Assistant) -> User:
    """Tester by a group everywhere; annotator, given by hand, of the environment `worker`."""
    mara = make_person(username="mara")
    User.objects.filter(pk=mara.pk).update(groups=["/guests"])
    grant_to_group(actor=None, group="/guests", role=Role.objects.get(name="tester"))
    scope, label = Scope(cafe.pk, environment_of(cafe, "worker").pk), "Café Lumen · worker"
    annotator, admin = Role.objects.get(name="annotator"), User.objects.get(username="admin")
    grant(actor=admin, person=mara, role=annotator, scope=scope, scope_label=label)
    return User.objects.get(pk=mara.pk)


def where(cafe: Assistant, name: str = "") -> str:
    return f"{cafe.pk}.{environment_of(cafe, name).pk}" if name else str(cafe.pk)


def lines(client: Client, person: User, place: str) -> dict[str, tuple[str, str]]:
    """What the page says of each permission: the word, and the reason."""
    page = client.get(reverse("access:person-access", args=[person.pk]), {"where": place}).content.decode()
    found = {}
    for label, rest in re.findall(r"<tr>\s*<td>([^<]+)<span(.*?)</tr>", page, re.DOTALL):
        cells = [re.sub(r"<[^>]+>|\s+", " ", cell) for cell in re.split(r"<td[^>]*>", rest)[1:]]
        cells = [" ".join(cell.split()) for cell in cells]
        found[label] = (cells[0], cells[1])
    return found


def test_every_permission_is_answered_with_the_grant_behind_it(client, cafe, mara) -> None:
    found = lines(client, mara, where(cafe, "worker"))
    assert len(found) == len(Permission)
    assert found["Talk to the assistant"] == (
        "Yes",
        "annotator · Café Lumen · worker · given here by admin tester · Everywhere · by the group /guests",
    )
    assert found["View analytics"] == ("Yes", "annotator · Café Lumen · worker · given here by admin")
    assert found["Read the audit log"] == ("No", "no role says so")


def test_elsewhere_it_is_other(client, cafe, mara) -> None:
    found = lines(client, mara, where(cafe, "production"))
    assert found["Talk to the assistant"][0] == "Yes"
    assert found["View analytics"] == ("No", "no role says so")


def test_of_a_whole_what_holds_in_a_part_is_said_to(client, cafe, mara) -> None:
    for place in (where(cafe), ""):
        assert lines(client, mara, place)["View analytics"] == (
            "In part",
            "annotator · Café Lumen · worker · given here by admin",
        )


def test_the_page_agrees_with_what_is_asked_everywhere_else(client, cafe, mara) -> None:
    for name in ("worker", "production"):
        scope = Scope(cafe.pk, environment_of(cafe, name).pk)
        told = {label for label, (word, _) in lines(client, mara, where(cafe, name)).items() if word == "Yes"}
        assert told == {permission.label for permission in Permission if mara.may(permission, scope)}


def test_whoever_is_shut_out_may_nothing(client, cafe, mara) -> None:
    set_active(actor=None, person=mara, is_active=False)
    assert {word for word, _ in lines(client, mara, "").values()} == {"No"}


def test_a_place_that_is_not_there_is_not_found(client, mara) -> None:
    assert client.get(reverse("access:person-access", args=[mara.pk]), {"where": "99.7"}).status_code == 404


def test_ones_own_page_names_no_place_but_ones_own(client, cafe, mara) -> None:
    make_assistant("bakery", "Bakery")
    kate = make_person("annotator", Scope(cafe.pk, environment_of(cafe, "worker").pk))
    page = client_of(kate).get(OWN, {"where": where(cafe, "worker")})
    text = page.content.decode()
    assert f"In Café Lumen · worker: 14 of {len(Permission)} permissions." in text
    assert "Bakery" not in text
    assert [place.label for place in page.context["filters"].places] == ["Café Lumen", "Café Lumen · worker"]
    assert "/settings/roles/" not in text
    assert client_of(kate).get(OWN, {"where": where(cafe, "production")}).status_code == 404


def test_who_may_do_what_lists_everybody_whose_roles_count_there(client, cafe, mara) -> None:
    make_person("annotator", Scope(cafe.pk, environment_of(cafe).pk), username="kate")
    page = client.get(WHO, {"where": where(cafe, "worker")})
    assert [(row.person.username, row.count) for row in page.context["rows"]] == [
        ("admin", len(Permission)),
        ("mara", 14),
    ]
    assert "by the group /guests" in page.content.decode()


def test_who_may_do_one_thing_leaves_the_others_out(client, cafe, mara) -> None:
    def names(**query: str) -> list[str]:
        return [row.person.username for row in client.get(WHO, query).context["rows"]]

    assert names(where=where(cafe, "worker"), permission="talk") == ["admin", "mara"]
    assert names(where=where(cafe, "production"), permission="environments.modify") == ["admin"]
    assert names(permission="talk") == ["admin", "mara"]
    set_active(actor=None, person=mara, is_active=False)
    assert names(permission="talk") == ["admin"]


def test_who_may_do_what_costs_the_same_for_many(client, mara, django_assert_max_num_queries) -> None:
    for _ in range(12):
        make_person("tester")
    with django_assert_max_num_queries(11):
        assert len(client.get(WHO).context["rows"]) == 14
