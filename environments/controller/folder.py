"""What a managed environment's server is started with."""

from django.conf import settings

from environments.models import Environment
from environments.services.managed import folder_of, log_path
from environments.serving.code import Code
from environments.serving.files import base_url, interface_of, server_spec
from studio.crypto import decrypt
from studio.rasa.files import ModelServer
from studio.rasa.process import Spec
from studio.rasa.runtime import Runtime

REPLICA = "managed"  # how it names itself when it polls; one for each environment


def prepare(
    environment: Environment, *, port: int, token: str, code: Code, runtime: Runtime, interface: str = "127.0.0.1"
) -> Spec:
    """Write its files and say how to start. OSError when the disk does not take them."""
    models = ModelServer(
        url=f"{base_url(environment)}/models/tags/{environment.name}",
        token=decrypt(environment.model_token_encrypted),
        replica=REPLICA,
        environment=None,
    )
    return server_spec(
        environment,
        folder=folder_of(environment),
        log=log_path(environment),
        port=port,
        token=token,
        code=code,
        runtime=runtime,
        models=models,
        interface=interface_of(settings.SERVER_HOST, interface),
    )
