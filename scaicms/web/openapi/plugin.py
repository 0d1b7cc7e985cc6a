"""An apispec plugin over pydantic: models become components by pydantic's own JSON Schema (2020-12, as OpenAPI 3.1)."""

from collections.abc import Iterable
from typing import Any

from apispec import APISpec, BasePlugin
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from scaicms.web.openapi.examples import example_of

REF_TEMPLATE = "#/components/schemas/{model}"
ModelAndMode = tuple[type[BaseModel], JsonSchemaMode]


class PydanticPlugin(BasePlugin):
    """Generates all schemas in one call, so that models of the same name never clash."""

    def __init__(self, models: Iterable[ModelAndMode]) -> None:
        self._references, definitions = models_json_schema(_ordered(models), ref_template=REF_TEMPLATE)
        self._definitions: dict[str, Any] = definitions.get("$defs", {})

    def init_spec(self, spec: APISpec) -> None:
        super().init_spec(spec)
        for name, schema in self._definitions.items():
            spec.components.schema(name, schema)

    def reference(self, model: type[BaseModel], mode: JsonSchemaMode) -> dict[str, Any]:
        """`$ref` to the component of a model as it comes in (`validation`) or goes out (`serialization`)."""
        return dict(self._references[model, mode])

    def example(self, model: type[BaseModel]) -> Any:
        """What an answer of this model looks like."""
        return example_of(self._references[model, "serialization"], self._definitions)


def _ordered(models: Iterable[ModelAndMode]) -> list[Any]:
    """Without repetitions and in an order of their own, so that the document is the same each time."""
    return sorted(set(models), key=lambda entry: (entry[0].__module__, entry[0].__qualname__, entry[1]))
