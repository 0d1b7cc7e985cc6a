"""One object a service a process, built when first asked for. Services name what they need in `__init__`."""

from typing import TypeVar, cast

from scaicms.infra.resources import Resources

ServiceT = TypeVar("ServiceT", bound="Service")


class Service:
    """Base of a feature's public door. Subclasses take their collaborators from `services.get()`."""

    def __init__(self, services: "Services") -> None:
        self.resources = services.resources


class Services:
    """The services of one process, over one set of resources."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self._built: dict[type[Service], Service] = {}

    def get(self, kind: type[ServiceT]) -> ServiceT:
        """The service of this class; ranks keep the order of building free of cycles."""
        service = self._built.get(kind)
        if service is None:
            service = self._built[kind] = kind(self)
        return cast(ServiceT, service)
