"""The fields of a content type: their definition, and what each accepts."""

from typing import Annotated, Any, Literal, Self

import re2
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

KEY_PATTERN = r"^[a-z][a-z0-9_]{0,62}$"
FieldKey = Annotated[str, StringConstraints(pattern=KEY_PATTERN)]

FieldType = Literal[
    "string",
    "text",
    "markdown",
    "integer",
    "number",
    "boolean",
    "date",
    "datetime",
    "json",
    "select",
    "multiselect",
    "slug",
    "email",
    "url",
    "relation",
    "relations",
]
TEXT_TYPES = frozenset({"string", "text", "markdown", "slug", "email", "url"})
NUMBER_TYPES = frozenset({"integer", "number"})
LIST_TYPES = frozenset({"multiselect", "relations"})
RELATION_TYPES = frozenset({"relation", "relations"})

MAX_PATTERN_CHARACTERS = 500


class FieldDefinition(BaseModel):
    """One field. Lengths count characters, of lists items; `min` and `max` bound numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: FieldKey = Field(description="Name of the field in `data`.")
    type: FieldType
    label: str | None = Field(default=None, max_length=200)
    help: str | None = Field(default=None, max_length=2000)
    required: bool = False
    unique: bool = False
    indexed: bool = Field(default=False, description="Filtered or sorted by often.")
    searchable: bool | None = Field(default=None, description="Found by search; by default, texts are.")
    private: bool = Field(default=False, description="Never leaves the editing API.")
    default: Any = None
    min: float | None = None
    max: float | None = None
    min_length: int | None = Field(default=None, ge=0)
    max_length: int | None = Field(default=None, ge=1)
    pattern: str | None = Field(default=None, max_length=MAX_PATTERN_CHARACTERS, description="RE2, whole value.")
    options: tuple[str, ...] | None = Field(
        default=None,
        description="Choices of select and multiselect; a multiselect without options takes any text.",
    )
    target: FieldKey | None = Field(default=None, description="Content type that a relation points to.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.type == "select" and not self.options:
            raise ValueError("a select needs options")
        if self.options is not None and self.type not in ("select", "multiselect"):
            raise ValueError(f"options belong to select and multiselect, not to {self.type}")
        if self.type in RELATION_TYPES and self.target is None:
            raise ValueError(f"a {self.type} field needs a target")
        if self.target is not None and self.type not in RELATION_TYPES:
            raise ValueError(f"target belongs to relation and relations, not to {self.type}")
        if (self.min is not None or self.max is not None) and self.type not in NUMBER_TYPES:
            raise ValueError(f"min and max belong to integer and number, not to {self.type}")
        self._check_lengths()
        if self.pattern is not None:
            self._check_pattern(self.pattern)
        if self.unique and self.type not in TEXT_TYPES | NUMBER_TYPES | {"date", "datetime", "select"}:
            raise ValueError(f"a {self.type} field cannot be unique")
        return self

    def _check_lengths(self) -> None:
        bounded = self.min_length is not None or self.max_length is not None
        if bounded and self.type not in TEXT_TYPES | LIST_TYPES:
            raise ValueError(f"min_length and max_length belong to texts and lists, not to {self.type}")

    def _check_pattern(self, pattern: str) -> None:
        if self.type not in TEXT_TYPES:
            raise ValueError(f"pattern belongs to texts, not to {self.type}")
        try:
            re2.compile(pattern)
        except re2.error as error:
            raise ValueError(f"pattern is not RE2: {error}") from None

    @property
    def is_searchable(self) -> bool:
        if self.private:
            return False
        if self.searchable is not None:
            return self.searchable
        return self.type in ("string", "text", "markdown", "select", "multiselect")
