"""The chart, installed in a real cluster as docs/kubernetes.md says: it trains its first model as a Job, and a Job serves it.

The page's blocks are typed as they stand there; its example places become those of the test, and what makes it small comes
behind.
"""

import json
import re
import shlex
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from kubernetes.client.exceptions import ApiException
from ruamel.yaml import YAML

from studio.rasa.runtime import Runtime
from tests.docs.pages import block_of
from tests.kubernetes import chart, rasa
from tests.kubernetes.cluster import Cluster
from tests.stack import s3
from tests.stack.programs import eventually, need

pytestmark = pytest.mark.kubernetes
PAGE = "docs/kubernetes.md"
NAMESPACE, SERVICE = "parley-chart", "10.214.0.80"
HOST = "parley.example.com"
PASSWORD = "a password of the tests"
SERVERS = {"requests": {"cpu": "20m", "memory": "600Mi"}, "limits": {"memory": "3Gi"}}
PATIENTLY = ("--wait", "--timeout", "4m")
ROLES = ("web", "training", "running", "background", "ingest", "schedule", "controller")
OURS = "app.kubernetes.io/managed-by=parley"


@pytest.fixture(scope="module")
def console(cluster: Cluster) -> chart.Console:
    return chart.Console(cluster, NAMESPACE)


def values(template: dict[str, Any]) -> dict[str, Any]:
    """Small, for one machine."""
    small = {"resources": {"requests": {"cpu": "10m", "memory": "50Mi"}}}
    return {
        "settings": {
            "PARLEY_INTERNAL_URL": f"http://{SERVICE}:8000",  # this cluster has no names
            "PARLEY_WEB_WORKERS": "1",
        },
        "rasa": {
            "images": [{"name": "3.6.21", "image": rasa.IMAGE}],
            "podTemplate": template,
            "serverResources": SERVERS,
        },
        "persistence": {"enabled": True, "existingClaim": "artifacts"},
        "service": {"clusterIP": SERVICE},
        **{role: {"replicas": 1, **small} for role in ROLES},
    }


@pytest.fixture(scope="module")
def installed(
    cluster: Cluster, console: chart.Console, rasa_runtime: Runtime, tmp_path_factory: pytest.TempPathFactory
) -> Iterator["House"]:
    folder = tmp_path_factory.mktemp("chart")
    rasa.load_image(cluster, rasa_runtime)
    chart.load_image(cluster, folder)
    cluster.core.create_namespace({"metadata": {"name": NAMESPACE}})
    with chart.reachable_servers(cluster.address) as servers:
        make_secret(console, servers)
        chart.make_volume(cluster, NAMESPACE, folder / "artifacts")
        (folder / "values.yaml").write_text(json.dumps(values(rasa.pod_template(rasa_runtime))))
        house = House(cluster, console, servers)
        house.install(folder / "values.yaml")
        yield house
        console.succeed("helm", "uninstall", "parley", "--wait")


def make_secret(console: chart.Console, servers: chart.Servers) -> None:
    need("openssl", "openssl")
    ours = {
        "postgresql://parley:…@postgres.data:5432/parley": servers.database,
        "redis://:…@redis.data:6379/0": servers.redis,
        "SECRET_ACCESS_KEY=…": f"SECRET_ACCESS_KEY={s3.SECRET_KEY}",
    }
    block = block_of(PAGE, "kubectl create secret", ours)
    console.type(block.rstrip() + f" --from-literal=PARLEY_ADMIN_PASSWORD={shlex.quote(PASSWORD)}")


class House:
    """Parley in the cluster; `printed` is what Helm said of it."""

    def __init__(self, cluster: Cluster, console: chart.Console, servers: chart.Servers) -> None:
        self.cluster, self.console, self.servers = cluster, console, servers
        self.headers = {"Host": HOST, "X-Forwarded-Proto": "https"}  # as the Ingress sends them
        self.printed = ""

    def install(self, values: Path) -> None:
        block = block_of(PAGE, "helm install", {"https://s3.example.com": self.servers.s3})
        # The list of the block goes on.
        more = ("--set", "secret.moreKeys[1]=PARLEY_ADMIN_PASSWORD", "--values", str(values), *PATIENTLY)
        self.printed = self._succeed("bash", "-e", "-c", f"{block.rstrip()} {shlex.join(more)}")
        answer = self.ask("POST", "/api/auth", json={"username": "admin", "password": PASSWORD})
        self.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def upgrade(self, *options: str) -> None:
        self._succeed("helm", "upgrade", "parley", chart.CHART, "--reuse-values", *options, *PATIENTLY)

    def _succeed(self, *command: str) -> str:
        done = self.console.run(*command)
        assert done.returncode == 0, done.stderr + self.what_is_wrong()
        return done.stdout

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """Of the web by its Service."""
        url = f"http://{SERVICE}:8000{path}"
        return requests.request(method, url, headers={**self.headers, **more.pop("headers", {})}, timeout=60, **more)

    def jobs(self) -> list[Any]:
        return list(self.cluster.batch.list_namespaced_job(NAMESPACE, label_selector=OURS).items)

    def pods(self, component: str) -> list[Any]:
        selector = f"app.kubernetes.io/component={component}"
        return list(self.cluster.core.list_namespaced_pod(NAMESPACE, label_selector=selector).items)

    def pods_of(self, job: str) -> list[Any]:
        return list(self.cluster.core.list_namespaced_pod(NAMESPACE, label_selector=f"job-name={job}").items)

    def migrations(self) -> set[tuple[str, datetime]]:
        """Jobs of the hook that have completed, and when; Helm deletes them, the cluster remembers it for an hour."""
        events = self.cluster.core.list_namespaced_event(NAMESPACE, field_selector="reason=Completed").items
        ours = [one for one in events if one.involved_object.name == "parley-migrate"]
        return {(one.involved_object.uid, one.last_timestamp) for one in ours}

    def what_is_wrong(self) -> str:
        """The last words of every Pod that is not ready."""
        found = []
        for pod in self.cluster.core.list_namespaced_pod(NAMESPACE).items:
            statuses = pod.status.container_statuses or []
            if not all(one.ready for one in statuses) or not statuses:
                found.append(f"--- {pod.metadata.name}: {pod.status.phase} {[one.state for one in statuses]}")
                found.append(self._log(pod.metadata.name))
        return "\n".join(found)

    def _log(self, pod: str) -> str:
        try:
            return str(self.cluster.core.read_namespaced_pod_log(pod, NAMESPACE, tail_lines=40))
        except ApiException as error:
            return str(error)


def test_the_chart_is_in_order(console: chart.Console) -> None:
    options = ("--set", "settings.PARLEY_URL=https://parley.example.com", "--set", "settings.PARLEY_S3_BUCKET=parley")
    assert "0 chart(s) failed" in console.succeed("helm", "lint", "--strict", chart.CHART, *options)
    everything = (
        *(
            "--set",
            "ingress.enabled=true",
            "--set",
            "ingress.host=parley.example.com",
            "--set",
            "networkPolicy.enabled=true",
        ),
        *("--set", "persistence.enabled=true"),
    )
    text = console.succeed("helm", "template", "parley", chart.CHART, "--kube-version", "1.31", *options, *everything)
    made = [one for one in YAML(typ="safe").load_all(text) if one]
    kinds = [one["kind"] for one in made]
    assert kinds.count("Deployment") == 7
    assert {"Job", "Role", "RoleBinding", "ServiceAccount", "Ingress", "NetworkPolicy", "PersistentVolumeClaim"} <= set(
        kinds
    )
    for pod in (one["spec"]["template"]["spec"] for one in made if one["kind"] in ("Deployment", "Job")):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert all(one["securityContext"]["readOnlyRootFilesystem"] for one in pod["containers"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "settings.PARLEY_URL is needed"),
        (("--set", "settings.PARLEY_URL=https://p.example.com"), "settings.PARLEY_S3_BUCKET, or persistence.enabled"),
    ],
)
def test_what_is_missing_is_named(console: chart.Console, options: tuple[str, ...], words: str) -> None:
    done = console.run("helm", "template", "parley", chart.CHART, "--kube-version", "1.31", *options)
    assert done.returncode != 0
    assert words in done.stderr


def test_it_trains_its_first_model_as_a_job_and_a_job_serves_it(installed: House) -> None:
    seen: set[str] = set()

    def answers() -> bool:
        seen.update(one.metadata.annotations["parley/arguments"].split()[0] for one in installed.jobs())
        time.sleep(3)  # nobody may talk faster for long
        said = installed.ask("POST", "/api/chat?environment=production", json={"message": "hello"})
        return said.status_code == 200 and bool(said.json())

    eventually(answers, 300)
    assert {"train", "run"} <= seen
    models = installed.ask("GET", "/api/projects/default/models").json()
    assert len(models) == 1
    eventually(lambda: [one.metadata.annotations["parley/arguments"].split()[0] for one in installed.jobs()] == ["run"])


def test_the_model_is_in_the_bucket_and_in_the_backup_that_the_page_tells_to_make(installed: House) -> None:
    [model] = installed.ask("GET", "/api/projects/default/models").json()
    buckets = installed.servers.buckets
    assert any(key.endswith(model["hash"]) for key in keys_in(buckets, "parley"))
    installed.console.type(block_of(PAGE, "kubectl exec deployment/parley-web -- deploy/container/run.sh backup"))
    made = buckets.get_object(Bucket="backups", Key="parley/2026-03-01/manifest.json")["Body"]
    manifest = json.loads(made.read())
    parts = {one["sha256"] for one in (manifest["database"], *manifest["artifacts"])}
    assert model["hash"] in parts and not manifest["missing"]
    assert parts == {key.rpartition("/")[2] for key in keys_in(buckets, "backups") if "/parts/" in key}


def keys_in(buckets: Any, name: str) -> list[str]:
    return [one["Key"] for one in buckets.list_objects_v2(Bucket=name)["Contents"]]


def test_the_first_account_signs_in_by_the_link_that_is_made_for_it(installed: House) -> None:
    printed = installed.console.type(block_of(PAGE, "kubectl exec deployment/parley-web -- python"))
    link = path_of(printed)
    page = browse(installed, "GET", link)
    [token] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
    entered = browse(installed, "POST", link, page.cookies, {"csrfmiddlewaretoken": token})
    assert (entered.status_code, entered.headers["Location"]) == (302, "/")
    assert browse(installed, "GET", "/settings/account", entered.cookies).status_code == 200


def path_of(printed: str) -> str:
    """Of the link in what `bootstrap` prints."""
    [found] = re.findall(rf"^link: https://{HOST}(/\S+)$", printed, re.MULTILINE)
    return str(found)


def browse(house: House, method: str, path: str, cookies: Any = (), form: Any = None) -> requests.Response:
    """As a browser does through the Ingress, where cookies are for https alone."""
    headers = {
        **{name: house.headers[name] for name in ("Host", "X-Forwarded-Proto")},
        "Origin": f"https://{HOST}",
        "Cookie": "; ".join(f"{one.name}={one.value}" for one in cookies),
    }
    url = f"http://{SERVICE}:8000{path}"
    return requests.request(method, url, headers=headers, data=form, allow_redirects=False, timeout=60)


def test_what_helm_tells_to_type_can_be_typed(installed: House) -> None:
    rollout, bootstrap = re.findall(r"^ *(kubectl .+)$", installed.printed, re.MULTILINE)
    assert "successfully rolled out" in installed.console.type(rollout)
    assert browse(installed, "GET", path_of(installed.console.type(bootstrap))).status_code == 200


def test_a_slot_is_a_job_that_is_talked_to_and_of_which_nothing_is_left(installed: House) -> None:
    [model] = installed.ask("GET", "/api/projects/default/models").json()
    trial = f"/api/projects/default/models/{model['model']}/try"
    before = {job.metadata.name for job in installed.jobs()}
    assert installed.ask("POST", trial).status_code == 202
    eventually(lambda: len(installed.jobs()) == len(before) + 1, 60)
    [slot] = [job for job in installed.jobs() if job.metadata.name not in before]
    [container] = slot.spec.template.spec.containers
    assert container.resources.requests == {"cpu": "20m", "memory": "600Mi"}
    assert container.resources.limits == {"memory": "3Gi"}

    def answers() -> bool:
        time.sleep(3)  # nobody may talk faster for long
        said = installed.ask("POST", f"/api/chat?model={model['model']}", json={"message": "hello"})
        return said.status_code == 200 and bool(said.json())

    eventually(answers, 120)
    assert installed.ask("DELETE", trial).status_code == 204
    eventually(lambda: {job.metadata.name for job in installed.jobs()} == before, 60)
    eventually(lambda: not installed.pods_of(slot.metadata.name), 60)


def test_an_upgrade_migrates_first_rolls_every_deployment_and_keeps_the_data(installed: House) -> None:
    [model] = installed.ask("GET", "/api/projects/default/models").json()
    before = {role: {pod.metadata.name for pod in installed.pods(role)} for role in ROLES}
    migrated = installed.migrations()
    installed.upgrade("--set-string", "settings.PARLEY_LOG_JSON=0")
    [hook] = installed.migrations() - migrated
    for role in ROLES:
        eventually(lambda role=role: not before[role] & {pod.metadata.name for pod in installed.pods(role)}, 120)
        for pod in installed.pods(role):
            assert pod.metadata.creation_timestamp >= hook[1], (role, "was made before the migration had ended")
    assert [one["model"] for one in installed.ask("GET", "/api/projects/default/models").json()] == [model["model"]]
    revision = json.loads(installed.console.succeed("helm", "list", "--output", "json"))[0]
    assert (revision["revision"], revision["status"]) == ("2", "deployed")


def test_the_account_may_do_that_and_nothing_else(installed: House) -> None:
    from kubernetes import client

    reviews = client.AuthorizationV1Api(installed.cluster.api)

    def may(verb: str, group: str, resource: str, namespace: str = NAMESPACE) -> bool:
        attributes = {"verb": verb, "group": group, "resource": resource, "namespace": namespace}
        user = f"system:serviceaccount:{NAMESPACE}:parley"
        review = {"spec": {"user": user, "resourceAttributes": attributes}}
        return bool(reviews.create_subject_access_review(review).status.allowed)

    assert may("create", "batch", "jobs")
    assert may("delete", "", "pods")
    assert not may("create", "", "pods")
    assert not may("get", "", "secrets")
    assert not may("create", "batch", "jobs", "default")
