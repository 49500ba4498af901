import pytest
from django.test import Client

from environments.models import Environment
from environments.services.promotion import promote
from models_app.models import Assistant, Model
from models_app.services.revisions import save_revision
from tests.factories import environment_of, make_model, make_person
from tests.models_app.measured import better, result_of

OTTER = "/a/default/models/otter/promote"
PRODUCTION = "/a/default/environments/production"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def admin(client: Client, assistant: Assistant) -> Client:
    client.force_login(make_person("admin"))
    return client


@pytest.fixture
def otter(assistant: Assistant) -> Model:
    return make_model(assistant, "otter")


@pytest.fixture
def worker(assistant: Assistant) -> Environment:
    return environment_of(assistant, "worker")


def live(environment: Environment) -> str | None:
    tag = Environment.objects.select_related("tag__model").get(pk=environment.pk).tag
    return tag.model.name if tag.model else None


def form(*ticked: Environment, reason: str = "", **seen: object) -> dict[str, object]:
    """What the dialog sends; `seen` are the hidden fields, by `current_<id>`."""
    hidden = {name.replace("_", "-"): value for name, value in seen.items()}
    return {"environment": [environment.pk for environment in ticked], "reason": reason, **hidden}


def seen(**models: Model | None) -> dict[str, object]:
    return {
        f"current_{Environment.objects.get(name=name).pk}": model.pk if model else "" for name, model in models.items()
    }


def test_one_environment_leads_to_its_page(admin: Client, otter: Model, production: Environment, worker: Environment):
    answer = admin.post(OTTER, form(production, reason="Winter", **seen(production=None, worker=None)), headers=HTMX)
    assert answer.headers["HX-Redirect"] == PRODUCTION
    assert (live(production), live(worker)) == ("otter", None)
    assert production.promotions.get().reason == "Winter"


def test_several_environments_get_one_promotion_each(
    admin: Client, otter: Model, production: Environment, worker: Environment
):
    answer = admin.post(OTTER, form(production, worker, **seen(production=None, worker=None)), headers=HTMX)
    assert answer.headers["HX-Refresh"] == "true"
    assert (live(production), live(worker)) == ("otter", "otter")


def test_who_was_slower_is_told_who_and_what_and_changes_nothing(
    admin: Client, assistant: Assistant, otter: Model, production: Environment, worker: Environment
):
    promote(actor=None, environment=production, model=make_model(assistant, "heron"), actor_label="maria")
    answer = admin.post(OTTER, form(production, worker, **seen(production=None, worker=None)), headers=HTMX)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "maria promoted heron to production" in page
    assert "otter is promoted to worker" in page
    assert (live(production), live(worker)) == ("heron", "otter")


def test_unticking_asks_before_it_takes_out_of_service(admin: Client, otter: Model, production: Environment, worker):
    promote(actor=None, environment=production, model=otter)
    data = form(**seen(production=otter, worker=None))
    asked = admin.post(OTTER, data, headers=HTMX)
    assert asked.status_code == 422
    assert "production goes out of service" in asked.content.decode()
    assert live(production) == "otter"
    admin.post(OTTER, {**data, "confirmed": "1"}, headers=HTMX)
    assert live(production) is None


def test_nothing_ticked_changes_nothing(admin: Client, otter: Model, production: Environment):
    answer = admin.post(OTTER, form(**seen(production=None, worker=None)), headers=HTMX)
    assert "Nothing would change" in answer.content.decode()
    assert not production.promotions.exists()


def test_environments_one_may_not_modify_are_shown_with_why_and_left_alone(
    client: Client, otter: Model, production: Environment, worker: Environment
):
    client.force_login(make_person("annotator"))
    page = client.get(OTTER, headers=HTMX).content.decode()
    assert "Your roles do not include “Modify protected environments such as production” here." in page
    assert f'name="current-{production.pk}"' not in page
    client.post(OTTER, form(production, worker, **seen(production=None, worker=None)), headers=HTMX)
    assert (live(production), live(worker)) == (None, "otter")


def test_a_model_too_old_for_the_rasa_there_cannot_be_ticked(admin: Client, otter: Model, production: Environment):
    Environment.objects.filter(pk=production.pk).update(server_version="3.7.0", server_minimum_version="3.7.0")
    assert "Too old for its Rasa 3.7.0" in admin.get(OTTER, headers=HTMX).content.decode()


def test_the_dialog_warns_of_another_assistant_id_and_of_a_model_that_never_ran(admin: Client, assistant: Assistant):
    from tests.models_app.archives import model_archive

    make_model(assistant, "first")
    make_model(assistant, "otter", model_archive(assistant_id="hotel"))
    page = admin.get(OTTER, headers=HTMX).content.decode()
    assert "trained for another assistant" in page
    assert "No environment has run it yet" in page


@pytest.mark.parametrize("dialog", [OTTER, f"{PRODUCTION}/promote"])
def test_both_dialogs_say_what_the_change_was(admin: Client, assistant, otter: Model, production, dialog: str):
    files = {"config.yml": b"pipeline: []\n"}
    saved = save_revision(actor=None, assistant=assistant, files=files, message="Winter hours", parent_number=None)
    Model.objects.update(revision=saved)
    assert "“Winter hours”" in admin.get(dialog, headers=HTMX).content.decode()


def test_without_javascript_the_dialog_is_a_page_that_works(admin: Client, otter: Model, production: Environment):
    assert "<html" in admin.get(OTTER).content.decode()
    answer = admin.post(OTTER, form(production, **seen(production=None, worker=None)))
    assert (answer.status_code, answer.headers["Location"]) == (302, PRODUCTION)


def test_an_environment_chooses_its_model_from_a_list_that_narrows(admin: Client, assistant, production: Environment):
    make_model(assistant, "brisk-otter")
    make_model(assistant, "calm-heron")
    page = admin.get(f"{PRODUCTION}/promote?q=HER", headers=HTMX).content.decode()
    assert "calm-heron" in page and "brisk-otter" not in page
    admin.post(f"{PRODUCTION}/promote", {"model": "calm-heron", "expected": ""}, headers=HTMX)
    assert live(production) == "calm-heron"


@pytest.mark.parametrize(("model", "sentence"), [("", "Choose a model."), ("gone", "There is no such model any more.")])
def test_no_model_is_a_sentence_in_the_dialog(admin: Client, production: Environment, model: str, sentence: str):
    answer = admin.post(f"{PRODUCTION}/promote", {"model": model, "expected": ""}, headers=HTMX)
    assert (answer.status_code, sentence in answer.content.decode()) == (422, True)


def test_taking_out_of_service_refuses_what_nobody_saw(admin: Client, assistant, otter: Model, production: Environment):
    promote(actor=None, environment=production, model=make_model(assistant, "heron"))
    refused = admin.post(f"{PRODUCTION}/withdraw", {"expected": otter.pk}, headers=HTMX)
    assert (refused.status_code, live(production)) == (422, "heron")
    heron = Model.objects.get(name="heron")
    done = admin.post(f"{PRODUCTION}/withdraw", {"expected": heron.pk, "reason": "Closed"}, headers=HTMX)
    assert (done.headers["HX-Redirect"], live(production)) == (PRODUCTION, None)


def test_there_is_nothing_to_return_to_at_first(admin: Client, otter: Model, production: Environment):
    promote(actor=None, environment=production, model=otter)
    answer = admin.post(f"{PRODUCTION}/return", {"expected": otter.pk}, headers=HTMX)
    assert (answer.status_code, live(production)) == (422, "otter")


def test_both_dialogs_warn_of_a_model_whose_tests_are_worse(admin: Client, assistant, otter: Model, production):
    heron = make_model(assistant, "heron")
    promote(actor=None, environment=production, model=heron)
    result_of(otter)
    assert "Its tests are worse" not in admin.get(OTTER).content.decode()  # heron has none
    result_of(heron, better())
    for address in (OTTER, f"{PRODUCTION}/promote"):
        page = admin.get(address).content.decode()
        assert "1 of 5 stories, F1 90.5 %" in page
        assert "worse than those of heron: stories 20 % instead of 100 %, F1 of intents 90.5 % instead of 99 %" in page


def test_a_model_whose_tests_are_better_warns_nobody(admin: Client, assistant, otter: Model, production: Environment):
    heron = make_model(assistant, "heron")
    promote(actor=None, environment=production, model=heron)
    result_of(heron)
    result_of(otter, better())
    assert "worse" not in admin.get(OTTER).content.decode()
    assert "worse" not in admin.get(f"{PRODUCTION}/promote").content.decode()
