import pytest

from environments.models import Environment
from models_app.models import Assistant, Tag
from models_app.services.models import delete_model
from models_app.services.tags import move_environment_tag, remove_tag, set_tag
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from studio.errors import Conflict, Invalid
from tests.factories import make_assistant, make_model, make_person


def test_a_tag_leaves_whichever_model_had_it(assistant: Assistant):
    otter, heron = make_model(assistant, "otter"), make_model(assistant, "heron")
    set_tag(actor=None, model=otter, name="baseline")
    set_tag(actor=None, model=heron, name="baseline")
    assert Tag.objects.get(name="baseline").model == heron
    assert not otter.tags.exists()


def test_a_model_carries_any_number_of_tags(assistant: Assistant):
    otter = make_model(assistant)
    for name in ("baseline", "audit-q4", "0.1_x"):
        set_tag(actor=None, model=otter, name=name)
    assert otter.tags.count() == 3


def test_assistants_have_tags_of_their_own(assistant: Assistant):
    for model in (make_model(assistant), make_model(make_assistant())):
        set_tag(actor=None, model=model, name="baseline")
    assert Tag.objects.filter(name="baseline").count() == 2


def test_each_move_is_audited_once(assistant: Assistant):
    ann = make_person("admin", username="ann")
    otter, heron = make_model(assistant, "otter"), make_model(assistant, "heron")
    for model in (otter, heron, heron):
        set_tag(actor=ann, model=model, name="baseline")
    remove_tag(actor=ann, assistant=assistant, name="baseline")

    events = AuditEvent.objects.filter(target_kind="tag").order_by("id")
    assert [(event.action, event.before, event.after) for event in events] == [
        (Action.TAG_SET, None, {"model": "otter"}),
        (Action.TAG_SET, {"model": "otter"}, {"model": "heron"}),
        (Action.TAG_REMOVED, {"model": "heron"}, None),
    ]


@pytest.mark.parametrize("name", ["", "Upper", "a b", "-a", "x" * 64, "é"])
def test_a_name_that_cannot_be_a_tag_is_refused(assistant: Assistant, name: str):
    with pytest.raises(Invalid):
        set_tag(actor=None, model=make_model(assistant), name=name)


def test_an_environments_tag_moves_by_promotion_alone(assistant: Assistant):
    model = make_model(assistant)
    with pytest.raises(Conflict, match="only a promotion"):
        set_tag(actor=None, model=model, name="production")
    with pytest.raises(Conflict, match="only a promotion"):
        remove_tag(actor=None, assistant=assistant, name="production")
    assert Tag.objects.get(assistant=assistant, name="production").model is None


def test_promotion_cannot_move_a_free_tag(assistant: Assistant):
    tag = set_tag(actor=None, model=make_model(assistant), name="baseline")
    with pytest.raises(RuntimeError):
        move_environment_tag(tag=tag, model=None)


def test_removing_a_tag_that_is_gone_says_so(assistant: Assistant):
    with pytest.raises(Conflict, match="No model has the tag"):
        remove_tag(actor=None, assistant=assistant, name="baseline")


def test_a_deleted_model_takes_no_tag(assistant: Assistant):
    model = make_model(assistant)
    delete_model(actor=None, model=model)
    with pytest.raises(Conflict, match="deleted meanwhile"):
        set_tag(actor=None, model=model, name="baseline")


def test_a_tagged_model_is_not_deleted_and_the_tags_are_named(assistant: Assistant):
    model = make_model(assistant, "otter")
    set_tag(actor=None, model=model, name="baseline")
    move_environment_tag(tag=Environment.objects.get(assistant=assistant, name="production").tag, model=model)
    with pytest.raises(Conflict, match=r"otter cannot be deleted: tagged production, baseline\.") as refusal:
        delete_model(actor=None, model=model)
    assert refusal.value.code == "in-use"


def test_a_guard_of_another_app_keeps_a_model(assistant: Assistant, monkeypatch: pytest.MonkeyPatch):
    model = make_model(assistant)
    monkeypatch.setattr("models_app.services.models.guards", [lambda models: {model.pk: "it ran in production"}])
    with pytest.raises(Conflict, match="it ran in production"):
        delete_model(actor=None, model=model)


def test_who_moves_a_tag_may_say_where_they_saw_it(assistant: Assistant):
    otter, heron = make_model(assistant, "otter"), make_model(assistant, "heron")
    set_tag(actor=None, model=otter, name="baseline", expected_current=None)
    for stale in (None, heron, "heron", heron.artifact_id):
        with pytest.raises(Conflict, match="is on otter by now") as refused:
            set_tag(actor=None, model=heron, name="baseline", expected_current=stale)
        assert (refused.value.code, refused.value.details["current"]) == ("stale", "otter")
        with pytest.raises(Conflict):
            remove_tag(actor=None, assistant=assistant, name="baseline", expected_current=stale)
    set_tag(actor=None, model=heron, name="baseline", expected_current=otter.artifact_id)
    remove_tag(actor=None, assistant=assistant, name="baseline", expected_current="heron", reason="done with it")
    assert AuditEvent.objects.filter(action=Action.TAG_REMOVED).latest("pk").reason == "done with it"


def test_a_tag_that_is_none_yet_is_expected_nowhere(assistant: Assistant):
    with pytest.raises(Conflict, match="is on no model"):
        set_tag(actor=None, model=make_model(assistant), name="baseline", expected_current="otter")
    assert not Tag.objects.filter(name="baseline").exists()
