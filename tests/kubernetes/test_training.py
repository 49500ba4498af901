"""Trainings as Jobs of a real cluster, with a real Rasa in them."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from kubernetes.client.exceptions import ApiException

from models_app.models import Assistant, TrainingJob
from models_app.services import training
from models_app.services.assistants import add_assistant
from models_app.services.revisions import save_revision
from models_app.training import run
from studio.rasa.installer import Installer
from studio.rasa.models import RasaRuntime
from studio.rasa.runtime import Runtime
from studio.rasa.services import find_runtime
from tests.factories import make_person
from tests.kubernetes import rasa
from tests.kubernetes.cluster import Cluster
from tests.stack.programs import eventually

pytestmark = [pytest.mark.kubernetes, pytest.mark.django_db]
STARTER = Path(__file__).resolve().parents[2] / "starter"
NAMESPACE = "parley-trainings"


@pytest.fixture
def assistant(cluster: Cluster, rasa_runtime: Runtime, settings: LazySettings, tmp_path: Path) -> Assistant:
    rasa.load_image(cluster, rasa_runtime)
    with suppress(ApiException):  # another test has made it
        cluster.core.create_namespace({"metadata": {"name": NAMESPACE}})
    settings.JOBS_DIR, settings.ARTIFACTS_DIR = tmp_path / "jobs", tmp_path / "artifacts"
    settings.SERVERS_DIR, settings.RASA_DIR = tmp_path / "servers", tmp_path / "none"
    settings.PROCESSES, settings.KUBERNETES_NAMESPACE = "kubernetes", NAMESPACE
    settings.RASA_IMAGES = [("3.6.21", rasa.IMAGE), ("gone", "parley.test/nowhere:1")]
    settings.KUBERNETES_TEMPLATE = rasa.pod_template(rasa_runtime)
    Installer().look()
    Installer().do_now(RasaRuntime.objects.get(version="3.6.21"))
    return add_assistant(actor=None, slug="cafe", title="Café")


def ask(assistant: Assistant) -> TrainingJob:
    files = {str(path.relative_to(STARTER)): path.read_bytes() for path in STARTER.rglob("*.yml")}
    save_revision(actor=None, assistant=assistant, files=files, message="", parent_number=None)
    return training.request_training(actor=None, assistant=assistant)


def nothing_is_left(cluster: Cluster) -> bool:
    jobs, pods = cluster.batch.list_namespaced_job(NAMESPACE), cluster.core.list_namespaced_pod(NAMESPACE)
    return not jobs.items and not pods.items


def log_of(job: TrainingJob) -> str:
    return "".join(job.log.values_list("text", flat=True))


def test_a_training_is_one_job_that_leaves_a_model_a_log_and_nothing_in_the_cluster(assistant, cluster) -> None:
    found = find_runtime("3.6.21")
    assert found is not None
    assert (found.version, found.minimum_compatible_version, found.image) == ("3.6.21", "3.6.21", rasa.IMAGE)
    job = ask(assistant)
    run.run_training(job.pk)
    job.refresh_from_db()
    assert (job.state, job.message) == ("done", ""), log_of(job)
    assert job.model is not None
    assert job.model.rasa_version == "3.6.21"
    assert len(job.model.domain["intents"]) >= 12
    assert "RulePolicy" in log_of(job)
    assert (job.peak_memory or 0) > 100_000_000
    eventually(lambda: nothing_is_left(cluster))


def test_a_cancelled_training_ends_and_its_job_is_deleted(assistant, cluster, monkeypatch) -> None:
    job = ask(assistant)

    beat, asked = training.beat, []

    def cancelled_meanwhile(job: TrainingJob, **facts: Any) -> bool:
        if "train component" in log_of(job) and not asked:
            asked.append(job)
            training.cancel_training(actor=make_person("admin"), job=job)
        return beat(job, **facts)

    monkeypatch.setattr(training, "beat", cancelled_meanwhile)
    run.run_training(job.pk)
    job.refresh_from_db()
    assert (job.state, len(asked)) == ("cancelled", 1)
    eventually(lambda: nothing_is_left(cluster))


def test_a_training_whose_image_is_gone_says_so_in_the_clusters_words(
    assistant, cluster, monkeypatch, settings
) -> None:
    monkeypatch.setattr("studio.rasa.cluster.sight.IMAGE_SECONDS", 2.0)
    monkeypatch.setattr("studio.rasa.cluster.processes._TOLD_SECONDS", 0.0)
    steps: list[str] = []
    beat = training.beat

    def noting(job: TrainingJob, **facts: Any) -> bool:
        steps.append(str(facts["step"]))
        return beat(job, **facts)

    monkeypatch.setattr(training, "beat", noting)
    job = ask(assistant)
    found = find_runtime("3.6.21")
    assert found is not None
    assert found.own is not None
    gone = replace(found, own=replace(found.own, image="parley.test/nowhere:1"))
    monkeypatch.setattr(run, "find_runtime", lambda _name: gone)
    run.run_training(job.pk)
    job.refresh_from_db()
    assert job.state == "queued"  # once more: the registry may have been away
    assert "It did not start. Its container cannot be made" in job.message
    assert "parley.test/nowhere:1" in job.message
    assert "Waiting for the cluster" in steps
    assert "Kubernetes: Its container cannot be made" in log_of(job)
    eventually(lambda: nothing_is_left(cluster))


def test_an_image_that_cannot_be_fetched_is_told_in_the_clusters_words(assistant, monkeypatch) -> None:
    monkeypatch.setattr("studio.rasa.cluster.sight.IMAGE_SECONDS", 2.0)
    row = RasaRuntime.objects.get(version="gone")
    Installer().do_now(row)
    row.refresh_from_db()
    assert row.state == RasaRuntime.State.FAILED
    assert "parley.test/nowhere:1" in row.message
    assert "PARLEY_RASA_IMAGES" in row.mend
