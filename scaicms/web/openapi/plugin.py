"""An apispec plugin over pydantic: models become components by pydantic's own JSON Schema (2020-12, as OpenAPI 3.1)."""

from collections.abc import Iterable
from typing import Any

from apispec import APISpec, BasePlugin
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

REF_TEMPLATE = "#/components/schemas/{model}"
ModelAndMode = tuple[type[BaseModel], JsonSchemaMode]


class PydanticPlugin(BasePlugin):
    """Generates all schemas in one call, so that models of the same name never clash."""

    def __init__(self, models: Iterable[ModelAndMode]) -> None:
        self._references, definitions = models_json_schema(sorted(set(models), key=_key), ref_template=REF_TEMPLATE)
        self._definitions: dict[str, Any] = definitions.get("$defs", {})

    def init_spec(self, spec: APISpec) -> None:
        super().init_spec(spec)
        for name, schema in self._definitions.items():
            spec.components.schema(name, schema)

    def reference(self, model: type[BaseModel], mode: JsonSchemaMode) -> dict[str, Any]:
        """`$ref` to the component of a model as it comes in (`validation`) or goes out (`serialization`)."""
        return dict(self._references[model, mode])


def _key(entry: ModelAndMode) -> tuple[str, str, str]:
    model, mode = entry
    return model.__module__, model.__qualname__, mode
