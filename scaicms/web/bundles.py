"""What features contribute to bundles: the configuration of a site as one document, to be kept and carried elsewhere.

`content_types` serves bundles and ranks below most of what is in them. A feature's manifest names its part.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from scaicms.infra.services import Services
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site


def _nothing(_: Any, __: Any) -> Sequence[str]:
    return ()


@dataclass(frozen=True, slots=True)
class BundlePart:
    """One kind of configuration.

    Entries are instances of `entry`, a model with a `key`; what `read` gives and what `write` takes is the same,
    without ids, times and secrets, so that a bundle says the same everywhere. Both check what the caller may.
    """

    entry: type[BaseModel]
    read: Callable[[Services, Principal, Site], Awaitable[Sequence[BaseModel]]]
    write: Callable[[Services, Principal, Site, Any, bool], Awaitable[None]]
    """Store an entry; True: it is new. In the transaction of the whole bundle."""
    hindrances: Callable[[Any, Any], Sequence[str]] = _nothing
    """Why what is there (first) cannot become what the bundle says (second) at once; empty when it can."""
    notes: Callable[[Any, Any], Sequence[str]] = _nothing
    """What is left to do by hand when what is there (None: nothing) has become what the bundle says."""
