"""`fields=`: the members that are given of items, and of what is included beside them.

`data.author.data.name` is a member of what the relation `author` leads to, in the words of filters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from scaicms.features.content.errors import FieldForbiddenError
from scaicms.features.content.paths import hops
from scaicms.features.content.targets import RELATIONS, Target
from scaicms.kit.errors import BadRequestError

UNKNOWN = "unknown_field"
SELECTABLE = frozenset(
    [
        "id",
        "type",
        "slug",
        "locale",
        "locales",
        "status",
        "version",
        "taxonomies",
        "created_at",
        "created_by",
        "updated_at",
        "updated_by",
        "published_at",
        "publish_at",
        "unpublish_at",
        "fallback_fields",
        "unpublished",
        "stage",
        "data",
    ]
)


@dataclass(frozen=True, slots=True)
class Shape:
    """What is asked for of items (`fields`), and what beside them (`include`)."""

    fields: str | None = None
    include: str | None = None

    def __bool__(self) -> bool:
        return bool(self.fields or self.include)


WHOLE = Shape()


@dataclass(frozen=True, slots=True)
class Projection:
    """Members by the path of relations that leads to what has them, `""` to the items; all of what is not named."""

    members: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def own(self) -> Sequence[str]:
        """Those of the items themselves; none is all."""
        return self.members.get("", ())


EVERYTHING = Projection()


def projection(fields: str | None, root: Target, included: Mapping[str, Target]) -> Projection:
    """What `fields=` asks for of items, and of what is `included` by each path of relations.

    Raises:
        BadRequestError: the type has no such member, or it is one of what is not included.
        FieldForbiddenError: the caller may not read it.
    """
    if not fields:
        return EVERYTHING
    wanted: dict[str, dict[str, None]] = {"": {}}
    for name in fields.split(","):
        keys, last = hops(name)
        source, via = root, ""
        for depth, key in enumerate(keys, 1):
            here = ".".join(keys[:depth])
            _require_member(f"data.{key}", source, via, name)
            definition = source.content_type.fields.get(key)  # None: HTML that stands beside a field
            if definition is None or definition.type not in RELATIONS:
                raise BadRequestError(f"fields: {via}data.{key} is no relation: there is no {name}.", code=UNKNOWN)
            if here not in included:
                message = f"fields: {name} is of what {via}data.{key} leads to; ask for it with include={here}."
                raise BadRequestError(message, code="not_included")
            # Without the relation nobody could tell whose it is.
            wanted[".".join(keys[: depth - 1])][f"data.{key}"] = None
            source, via = included[here], f"{via}data.{key}."
            wanted.setdefault(here, {})
        _require_member(last, source, via, name)
        wanted[".".join(keys)][last] = None
    return Projection({path: tuple(members) for path, members in wanted.items()})


def _require_member(name: str, source: Target, via: str, asked: str) -> None:
    content_type, visible = source.content_type, source.visible
    known = {*visible.of(content_type, html=not visible.private), *SELECTABLE}
    if name in known:
        return
    if name in replace(visible, fields=None).of(content_type, html=not visible.private):
        raise FieldForbiddenError(f"Your rights do not reach {via}{name}.")
    hint = f" Fields are in data: {via}data.{name}." if f"data.{name}" in known else ""
    names = ", ".join(sorted(via + one for one in known))
    raise BadRequestError(f"fields: there is no {asked}.{hint} Known: {names}.", code=UNKNOWN)


def project(document: dict[str, object], wanted: Sequence[str]) -> dict[str, object]:
    """A document with these members alone."""
    chosen = {name: document.get(name) for name in wanted if "." not in name}
    keys = [name.partition(".")[2] for name in wanted if "." in name]
    data = document["data"]
    if keys and "data" not in chosen and isinstance(data, dict):
        chosen["data"] = {key: data.get(key) for key in keys}
    return chosen
