"""Settings of an assistant's trainings and models by API."""

import pytest

from models_app.models import Assistant
from studio.access.permissions import Scope
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from tests.factories import make_assistant, make_model
from tests.models_app.programs import Program, program


@pytest.fixture(autouse=True)
def _empty(redis_client) -> None: ...


@pytest.fixture
def admin(assistant: Assistant) -> Program:
    return program("admin")


def test_training_settings_are_kept_whole(admin: Program) -> None:
    before = {
        "rasa_version": "",
        "validate_first": True,
        "test_after": False,
        "held_out_percent": 20,
        "minutes": None,
        "memory_mb": None,
        "disk_mb": None,
        "processes": None,
    }
    assert admin.get("/training-settings").json() == before
    wanted = {**before, "test_after": True, "validate_first": False, "minutes": 30}
    assert admin.put("/training-settings", wanted).json() == wanted
    assert admin.get("/training-settings").json() == wanted
    assert AuditEvent.objects.get(action=Action.TRAINING_SETTINGS_CHANGED).after["minutes"] == 30
    assert admin.put("/training-settings", {}).json() == before


@pytest.mark.parametrize(
    "wanted",
    [{"held_out_percent": 90}, {"rasa_version": "9.9.9"}, {"minutes": 0}, {"minutes": 10**30}, {"memory_mb": "much"}],
)
def test_what_the_page_refuses_is_refused(admin: Program, wanted: dict[str, object]) -> None:
    answer = admin.put("/training-settings", wanted)
    assert answer.status_code == 422
    assert next(iter(wanted)) in answer.json()["message"]


def test_the_rule_says_what_it_would_delete_before_it_is_on(admin: Program, assistant: Assistant) -> None:
    for number in range(4):
        make_model(assistant, f"m{number}")
    admin.put("/models/m0/keep", {"reason": "the fair"})
    assert admin.get("/model-retention").json() == {
        "newest": 20,
        "is_on": False,
        "last_run_at": None,
        "last_deleted": 0,
        "last_freed": 0,
    }
    plan = admin.get("/model-retention/plan?newest=2").json()
    assert (plan["newest"], plan["total"], plan["deletes"], plan["models"]) == (2, 4, 1, ["m1"])
    assert plan["stay"] == [{"model": "m0", "why": f"kept by {admin.user.username}: the fair"}]
    assert plan["frees"] > 0
    told = admin.put("/model-retention", {"newest": 2, "is_on": True}).json()
    assert (told["newest"], told["is_on"]) == (2, True)
    assert admin.get("/model-retention/plan").json()["newest"] == 2
    assert AuditEvent.objects.filter(action=Action.RETENTION_CHANGED).exists()
    for wrong in ({"newest": 0, "is_on": True}, {"newest": 10**9, "is_on": True}, {"is_on": True}, {"newest": 5}):
        assert admin.put("/model-retention", wrong).status_code == 422
    assert admin.get("/model-retention/plan?newest=0").status_code == 422


def test_settings_are_for_who_may_change_the_assistant(assistant: Assistant) -> None:
    annotator, stranger = program("annotator"), program("admin", Scope(make_assistant("inn").pk))
    for path in ("/training-settings", "/model-retention"):
        assert annotator.put(path, {"newest": 1, "is_on": True}).status_code == 403
        assert stranger.get(path).status_code == 404
    assert annotator.get("/model-retention").status_code == 403
    assert annotator.get("/training-settings").status_code == 200
