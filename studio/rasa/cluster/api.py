"""What is asked of a cluster: about its Jobs and Pods, and never for long.

Whoever follows a process also says that its job lives, so a cluster that hangs may hold up no answer: nothing is asked
twice here. The seconds bound connecting and each read, not the whole: who sends a byte now and then holds us up longer.
Every failure is a `NoAnswer`, whose words are for people.
"""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException
from urllib3.exceptions import HTTPError, TimeoutError

LOOK_SECONDS = 3  # whole ones: the client takes no notice of others
CHANGE_SECONDS = 10  # admission webhooks are asked meanwhile
_OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class NoAnswer(Exception):
    """The cluster cannot be asked, or refuses; `message` says which, in one line."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Api:
    """Of the Pod that we run in, else of the kubeconfig and its `context`. Every method raises NoAnswer."""

    def __init__(self, namespace: str = "", context: str | None = None) -> None:
        self._named, self._context = namespace, context

    @cached_property
    def namespace(self) -> str:
        return self._named or (_OWN_NAMESPACE.read_text().strip() if _OWN_NAMESPACE.exists() else "default")

    @cached_property
    def own_address(self) -> str:
        """Of this machine or Pod, as seen on the way to the cluster."""
        with _in_words(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            server = urlsplit(self._client.configuration.host)
            probe.connect((server.hostname, server.port or 443))
            return str(probe.getsockname()[0])

    def make_job(self, body: dict[str, Any]) -> None:
        with _in_words():
            self._batch.create_namespaced_job(self.namespace, body, _request_timeout=CHANGE_SECONDS)

    def job(self, name: str, namespace: str) -> Any:
        """None when it is gone."""
        with _in_words():
            try:
                return self._batch.read_namespaced_job(name, namespace, _request_timeout=LOOK_SECONDS)
            except ApiException as error:
                if error.status == 404:
                    return None
                raise

    def jobs(self, selector: str) -> list[Any]:
        with _in_words():
            found = self._batch.list_namespaced_job(
                self.namespace, label_selector=selector, _request_timeout=LOOK_SECONDS
            )
            return list(found.items)

    def pods(self, selector: str, namespace: str) -> list[Any]:
        with _in_words():
            found = self._core.list_namespaced_pod(namespace, label_selector=selector, _request_timeout=LOOK_SECONDS)
            return list(found.items)

    def delete_job(self, name: str, namespace: str) -> None:
        """It, and its Pods behind it. One that is gone is no failure."""
        body = client.V1DeleteOptions(propagation_policy="Background")
        with _in_words(), _though_gone():
            self._batch.delete_namespaced_job(name, namespace, body=body, _request_timeout=CHANGE_SECONDS)

    def delete_pod(self, pod: Any, grace: int) -> None:
        """After `grace` seconds; with none it is gone at once, although its node says nothing."""
        facts = pod.metadata
        with _in_words(), _though_gone():
            self._core.delete_namespaced_pod(
                facts.name, facts.namespace, grace_period_seconds=grace, _request_timeout=CHANGE_SECONDS
            )

    @cached_property
    def _client(self) -> Any:
        made = client.Configuration()
        try:
            config.load_incluster_config(made)
        except ConfigException:
            file = os.environ.get("KUBECONFIG")  # the client looks only once, when it is imported
            config.load_kube_config(file, context=self._context, client_configuration=made)
        made.retries = False
        return client.ApiClient(made)

    @property
    def _batch(self) -> Any:
        return client.BatchV1Api(self._client)

    @property
    def _core(self) -> Any:
        return client.CoreV1Api(self._client)


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except ApiException as error:
        raise NoAnswer(_words(error)) from error
    except TimeoutError as error:
        raise NoAnswer("Kubernetes does not answer: it took too long.") from error
    except (HTTPError, ConfigException, OSError) as error:
        raise NoAnswer(f"Kubernetes does not answer: {error}"[:300]) from error


@contextmanager
def _though_gone() -> Iterator[None]:
    try:
        yield
    except ApiException as error:
        if error.status != 404:
            raise


def _words(error: ApiException) -> str:
    """What the cluster says."""
    try:
        return str(json.loads(error.body)["message"])[:500]
    except (TypeError, ValueError, KeyError):
        return f"Kubernetes answers {error.status}: {error.reason}"
