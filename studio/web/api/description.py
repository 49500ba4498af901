"""What the API's OpenAPI description says of every operation alike: how it fails, and what makes it safe to repeat."""

from typing import Any

from ninja import NinjaAPI
from ninja.operation import Operation

from studio.web.api import repeats
from studio.web.api.failures import Failure
from studio.web.api.repeats import Repeats

REPEATED = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "A word of your own for this request, of at most 200 characters. The same request with the same "
    "word within a day is answered as the first time, and does nothing again.",
}


class Api(NinjaAPI):
    """NinjaAPI whose description also names the failures, which have one shape."""

    def get_openapi_schema(self, **options: Any) -> Any:
        schema = super().get_openapi_schema(**{**options, "path_prefix": "/api/"})
        schema["components"].setdefault("schemas", {})["Failure"] = Failure.model_json_schema()
        for path in schema["paths"].values():
            for method, operation in path.items():
                _complete(method, operation)
        return schema

    def operations_of(self, url_name: str) -> dict[str, Operation]:
        """What is done at an address, by method."""
        paths = (path for router in self._get_bound_routers() for path in router.path_operations.values())
        found = (operation for path in paths if path.url_name == url_name for operation in path.operations)
        return {method: operation for operation in found for method in operation.methods}


def _complete(method: str, operation: dict[str, Any]) -> None:
    operation["responses"]["default"] = {
        "description": "It failed.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}},
    }
    said = repeats.said_of(operation, is_open="security" not in operation)
    operation.pop(repeats.NAME, None)
    if method == "post" and said is not Repeats.NONE:
        operation.setdefault("parameters", []).append(REPEATED)
