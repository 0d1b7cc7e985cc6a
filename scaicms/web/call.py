"""One call of an operation, as its handler sees it: who, where, with what."""

from typing import TypeVar
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel

from scaicms.infra.services import Service, Services
from scaicms.kit.errors import BadRequestError, FieldError, InvalidError, NotFoundError, UnknownParameterError
from scaicms.kit.ids import parse_id
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site
from scaicms.web import body as bodies
from scaicms.web.operation import Operation
from scaicms.web.ports import ADDRESS, RAW_BODY, SERVICES

ModelT = TypeVar("ModelT", bound=BaseModel)
ServiceT = TypeVar("ServiceT", bound=Service)


class Call:
    """A request to one operation after authentication and site resolution."""

    __slots__ = ("_site", "operation", "principal", "request", "services")

    def __init__(self, request: web.Request, operation: Operation, principal: Principal, site: Site | None) -> None:
        self.request = request
        self.operation = operation
        self.principal = principal
        self.services: Services = request.app[SERVICES]
        self._site = site

    @property
    def site(self) -> Site:
        """The site of `X-Site-ID`; only operations declared with `site=True` have one."""
        if self._site is None:
            raise RuntimeError(f"{self.operation.name} is not declared with site=True")
        return self._site

    @property
    def address(self) -> str:
        """The caller's address, as far as configured proxies can be believed."""
        return self.request[ADDRESS]

    def get(self, kind: type[ServiceT]) -> ServiceT:
        return self.services.get(kind)

    def path_id(self, name: str = "id") -> UUID:
        """A path parameter that is an id; what is no id is not found."""
        parsed = parse_id(self.request.match_info[name])
        if parsed is None:
            raise NotFoundError
        return parsed

    def path(self, name: str) -> str:
        return self.request.match_info[name]

    async def body(self, model: type[ModelT]) -> ModelT:
        """The JSON body as the declared model."""
        if self.operation.body is not model:
            raise RuntimeError(f"{self.operation.name} does not declare {model.__name__} as its body")
        raw = await self.raw_body()
        required = self.operation.body_required
        parsed: ModelT = await bodies.read_json(self.request, raw, model, required=required)
        return parsed

    async def raw_body(self) -> bytes:
        """The bytes of the body, read once."""
        cached: bytes | None = self.request.get(RAW_BODY)
        if cached is None:
            settings = self.services.resources.settings
            cached = await bodies.read_body(
                self.request, limit=settings.body_limit, idle_seconds=settings.body_idle_seconds
            )
            self.request[RAW_BODY] = cached
        return cached

    def query(self, model: type[ModelT]) -> ModelT:
        """The query parameters as the declared model; those under an open prefix (`filter[…]`) are left out."""
        if self.operation.query is not model:
            raise RuntimeError(f"{self.operation.name} does not declare {model.__name__} as its query")
        values: dict[str, str] = {}
        for name, value in self.request.query.items():
            if name.startswith(self.operation.open_query):
                continue
            if name in values:
                raise BadRequestError(f"The parameter {name} is given twice.", code="duplicate_parameter")
            values[name] = value
        return _validate_query(model, values)

    def open_query(self) -> list[tuple[str, str]]:
        """The parameters under the operation's open prefixes, in order."""
        return [item for item in self.request.query.items() if item[0].startswith(self.operation.open_query)]


def _validate_query(model: type[ModelT], values: dict[str, str]) -> ModelT:
    try:
        parsed: ModelT = bodies.validate(model, values)
    except InvalidError as error:
        raise _as_parameter_error(model, error.errors) from None
    return parsed


def _as_parameter_error(model: type[BaseModel], errors: tuple[FieldError, ...]) -> BadRequestError:
    unknown = [e.pointer[1:] for e in errors if e.code == "unknown_field"]
    if unknown:
        known = ", ".join(sorted(f.alias or n for n, f in model.model_fields.items()))
        named = ", ".join(unknown)
        return UnknownParameterError(f"Unknown query parameter: {named}. Known here: {known}.", errors=errors)
    return BadRequestError("A query parameter has a value it cannot have.", code="invalid_parameter", errors=errors)
