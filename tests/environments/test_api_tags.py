"""Tags by the API: free ones, and those whose move is a promotion."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from environments.models import Environment, Promotion
from environments.services.birth import create_environment
from environments.services.promotion import promote
from models_app.models import Model, Tag
from models_app.services.tags import set_tag
from studio.access.permissions import Permission, Scope
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from tests.environments.api_client import Program
from tests.factories import environment_of, make_assistant, make_model, make_person

OTTER = "/projects/default/models/otter/tags"


@pytest.fixture
def otter(assistant) -> Model:
    return make_model(assistant, "otter")


@pytest.fixture
def heron(assistant) -> Model:
    return make_model(assistant, "heron")


@pytest.fixture
def admin(db) -> Program:
    return Program(make_person("admin", username="ada"))


def tags_of(model: Model) -> set[str]:
    return set(Tag.objects.filter(model=model).values_list("name", flat=True))


def test_a_tag_leaves_whichever_model_had_it(admin, otter, heron) -> None:
    set_tag(actor=None, model=heron, name="baseline")
    answer = admin.put(f"{OTTER}/baseline")
    assert (answer.status_code, answer.content) == (204, b"")
    assert (tags_of(otter), tags_of(heron)) == ({"baseline"}, set())
    event = AuditEvent.objects.filter(action=Action.TAG_SET).first()
    assert (event.actor, event.before, event.after) == (admin.user, {"model": "heron"}, {"model": "otter"})
    assert admin.put(f"{OTTER}/baseline").status_code == 204  # once more


def test_the_tag_of_an_environment_is_a_promotion(admin, otter, production) -> None:
    assert admin.put(f"{OTTER}/production?reason=Better").status_code == 204
    promotion = Promotion.objects.get()
    assert (promotion.environment, promotion.to_model, promotion.actor, promotion.reason) == (
        production, otter, admin.user, "Better",
    )  # fmt: skip
    assert admin.put(f"{OTTER}/production").status_code == 204
    assert Promotion.objects.count() == 1


def test_taking_an_environments_tag_off_takes_it_out_of_service(admin, otter, production) -> None:
    promote(actor=None, environment=production, model=otter)
    assert admin.delete(f"{OTTER}/production?reason=Broken").status_code == 204
    last = production.promotions.first()
    assert (last.to_model, last.reason, last.actor) == (None, "Broken", admin.user)
    assert admin.delete(f"{OTTER}/production").status_code == 404


@pytest.mark.parametrize("tag", ["baseline", "production"])
def test_a_tag_is_taken_off_only_what_is_expected_to_have_it(admin, otter, heron, production, tag) -> None:
    set_tag(actor=None, model=otter, name="baseline")
    promote(actor=None, environment=production, model=otter)
    for other in ("heron", ""):
        refused = admin.delete(f"{OTTER}/{tag}?expected_current={other}")
        assert (refused.status_code, refused.json()["reason"]) == (409, "Stale")
        assert refused.json()["details"] == {"current": "otter", "hash": otter.artifact_id}
    assert tags_of(otter) == {"baseline", "production"}
    assert admin.delete(f"{OTTER}/{tag}?expected_current={otter.artifact_id}").status_code == 204
    assert tag not in tags_of(otter)


def test_a_free_tag_is_taken_off_the_named_model_alone(admin, otter, heron) -> None:
    set_tag(actor=None, model=heron, name="baseline")
    assert admin.delete(f"{OTTER}/baseline").status_code == 404
    assert tags_of(heron) == {"baseline"}
    assert admin.delete("/projects/default/models/heron/tags/baseline").status_code == 204
    assert not Tag.objects.filter(name="baseline").exists()


@pytest.mark.parametrize("how", ["body", "query"])
def test_who_is_slower_is_told_what_is_there_now(admin, otter, heron, production, how) -> None:
    set_tag(actor=None, model=heron, name="baseline")
    promote(actor=None, environment=production, model=heron)

    def put(tag: str, expected: str | None):
        if how == "body":
            return admin.put(f"{OTTER}/{tag}", {"expected_current": expected})
        return admin.put(f"{OTTER}/{tag}?expected_current={expected or ''}")

    for tag in ("baseline", "production"):
        for stale in (None, "otter", otter.artifact_id):
            refused = put(tag, stale)
            assert (refused.status_code, refused.json()["reason"]) == (409, "Stale")
            assert refused.json()["details"]["current"] == "heron"
            assert refused.json()["details"]["hash"] == heron.artifact_id
        assert put(tag, heron.artifact_id).status_code == 204
    assert tags_of(otter) == {"baseline", "production"}


def test_what_the_body_leaves_out_the_address_says(admin, otter, heron) -> None:
    set_tag(actor=None, model=heron, name="baseline")
    for body in ({}, {"reason": "Better"}):
        assert admin.put(f"{OTTER}/baseline?expected_current=otter", body).status_code == 409
    assert admin.put(f"{OTTER}/baseline?expected_current=otter", {"expected_current": "heron"}).status_code == 204
    assert admin.put(f"{OTTER}/baseline?expected_current=otter&reason=Again", {"reason": "Better"}).status_code == 204
    assert admin.put("/projects/default/models/heron/tags/baseline?reason=Back", {}).status_code == 204
    assert AuditEvent.objects.filter(action=Action.TAG_SET).latest("pk").reason == "Back"


class TestWho:
    @pytest.mark.parametrize("method", ["PUT", "DELETE"])
    def test_nobody_without_a_token(self, otter, method) -> None:
        assert Client().generic(method, f"/api{OTTER}/production").status_code == 401

    def test_a_model_that_one_does_not_see(self, admin, otter) -> None:
        tester = Program(make_person("tester"))
        for answer in (
            tester.put(f"{OTTER}/baseline"),
            admin.put("/projects/default/models/none/tags/baseline"),
            admin.delete("/projects/default/models/none/tags/baseline"),
            admin.put("/projects/none/models/otter/tags/baseline"),
        ):
            assert (answer.status_code, answer.json()["reason"]) == (404, "NotFound")

    def test_each_tag_asks_its_own_permission(self, otter, production) -> None:
        annotator = Program(make_person("annotator"))  # promotes to what is not protected, and tags nothing
        assert annotator.put(f"{OTTER}/production").status_code == 403
        assert annotator.put(f"{OTTER}/baseline").status_code == 403
        assert annotator.put(f"{OTTER}/worker").status_code == 204
        assert annotator.delete(f"{OTTER}/worker").status_code == 204
        assert annotator.delete(f"{OTTER}/baseline").status_code == 403

    def test_a_token_holds_no_more_than_it_says(self, otter) -> None:
        admin = make_person("admin")
        may = frozenset({Permission.MODELS_VIEW, Permission.ENVIRONMENTS_VIEW, Permission.ENVIRONMENTS_MODIFY})
        token = Program(admin, may)
        assert token.put(f"{OTTER}/production").status_code == 403
        assert token.put(f"{OTTER}/worker").status_code == 204
        assert token.put(f"{OTTER}/baseline").status_code == 403

    def test_an_environment_that_one_does_not_see_is_moved_by_no_tag(self, assistant, otter) -> None:
        vault = create_environment(actor=None, assistant=assistant, name="vault")
        promote(actor=None, environment=vault, model=otter)
        worker = environment_of(assistant, "worker")
        outsider = Program(make_person("annotator", Scope(assistant.pk, worker.pk)))
        assert outsider.put(f"{OTTER}/vault").status_code == 403
        assert outsider.delete(f"{OTTER}/vault").status_code == 403
        assert [row["tag"] for row in outsider.get("/projects/default/tags").json()] == ["worker"]
        assert Environment.objects.get(pk=vault.pk).tag.model == otter


@pytest.mark.parametrize("tag", ["UPPER", "a b", "ä", "-x", "x" * 64, "%00", "a%2Fb"])
def test_what_is_no_name_is_refused(admin, otter, tag) -> None:
    assert admin.put(f"{OTTER}/{tag}").status_code in {400, 404, 422}
    assert tags_of(otter) == set()


def test_the_list_has_what_points_where(admin, otter) -> None:
    set_tag(actor=None, model=otter, name="baseline")
    answer = admin.get("/projects/default/tags")
    assert answer["X-Total-Count"] == "3"
    moved = {tag.name: tag.moved_at.timestamp() for tag in Tag.objects.all()}
    assert answer.json() == [
        {"tag": "baseline", "kind": "free", "model": "otter", "hash": otter.artifact_id, "moved_at": moved["baseline"]},
        {"tag": "production", "kind": "environment", "model": None, "hash": None, "moved_at": moved["production"]},
        {"tag": "worker", "kind": "environment", "model": None, "hash": None, "moved_at": moved["worker"]},
    ]
    assert [row["tag"] for row in admin.get("/projects/default/tags?limit=1&offset=1").json()] == ["production"]
    assert Program(make_person("tester")).get("/projects/default/tags").status_code == 403


def test_a_longer_list_costs_no_more_queries(admin, otter) -> None:
    def cost() -> int:
        admin.get("/user")  # the first use of a token is written down
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert admin.get("/projects/default/tags").status_code == 200
        return len(queries)

    before = cost()
    for number in range(5):
        set_tag(actor=None, model=otter, name=f"t{number}")
    assert cost() <= before


def test_people_and_programs_fetch_by_tag_where_servers_do(admin, otter, client: Client) -> None:
    set_tag(actor=None, model=otter, name="baseline")
    for path in ("/projects/default/models/tags/baseline", "/models/tags/baseline"):
        answer = admin.get(path)
        assert (answer.status_code, b"".join(answer.streaming_content)[:2]) == (200, b"\x1f\x8b")
        assert (answer["ETag"], "otter.tar.gz" in answer["Content-Disposition"]) == (f'"{otter.artifact_id}"', True)
    token = admin.headers["Authorization"].removeprefix("Bearer ")
    address = "/api/projects/default/models/tags/baseline"
    by_address = client.get(address, {"api_token": token})
    assert len(b"".join(by_address.streaming_content)) == otter.size
    assert client.head(address, headers=admin.headers)["Content-Length"] == str(otter.size)
    assert client.get(address, headers={**admin.headers, "If-None-Match": f'"{otter.artifact_id}"'}).status_code == 304
    assert admin.get("/projects/default/models/tags/none").status_code == 404
    assert client.get(address).status_code == client.get(address, {"token": "x"}).status_code == 401


def test_a_tag_of_an_environment_without_a_model_is_204_and_whose_is_not_seen_404(admin, assistant) -> None:
    worker = environment_of(assistant, "worker")
    assert admin.get(f"/projects/default/models/tags/{worker.name}").status_code == 204
    elsewhere = Program(make_person("tester", Scope(make_assistant("inn").pk)))
    assert elsewhere.get(f"/projects/default/models/tags/{worker.name}").status_code == 404
