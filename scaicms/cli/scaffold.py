"""`scaicms new-feature`: the files every feature begins with."""

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

import scaicms

FILES = {
    "__init__.py": '"""{title}."""\n',
    "permissions.py": '''"""What can be permitted about {words}."""

from scaicms.kit.permissions import Permission

READ = Permission("{name}:read", "See {words}")

ALL = (READ,)
''',
    "schemas.py": '''"""{title} in and out."""

from scaicms.kit.schemas import Answer


class {cls}Out(Answer):
    """What `GET /{path}` answers."""

    site: str
''',
    "service.py": '''"""Use cases of {words}."""

from scaicms.features.{name} import permissions
from scaicms.infra.services import Service
from scaicms.kit.principal import Principal
from scaicms.kit.sites import Site


class {cls}Service(Service):
    """The public door of {words}."""

    async def describe(self, principal: Principal, site: Site) -> str:
        """The key of the site, for who may see {words} there."""
        principal.require(permissions.READ.code, site.id)
        return site.key
''',
    "routes.py": '''"""`/{path}`."""

from aiohttp import web

from scaicms.features.{name} import permissions
from scaicms.features.{name}.schemas import {cls}Out
from scaicms.features.{name}.service import {cls}Service
from scaicms.web.call import Call
from scaicms.web.operation import Routes
from scaicms.web.replies import reply

routes = Routes("{path}", "/{path}", site=True)


@routes.get(permission=permissions.READ, summary="Describe {words}", response={cls}Out)
async def read_{name}(call: Call) -> web.StreamResponse:
    return reply({cls}Out(site=await call.get({cls}Service).describe(call.principal, call.site)))
''',
    "feature.py": '''"""Manifest."""

from scaicms.features.{name} import permissions
from scaicms.web.feature import Feature

FEATURE = Feature(name="{name}", routes=("scaicms.features.{name}.routes:routes",), permissions=permissions.ALL)
''',
}


def new_feature(
    name: Annotated[str, typer.Argument(help="Folder name, such as form_submissions.")],
    folder: Annotated[Path | None, typer.Option(help="Where features live; this checkout's when absent.")] = None,
) -> None:
    """Make the folder of a new feature that runs at once; say which two lines connect it."""
    if re.fullmatch(r"[a-z][a-z0-9_]{1,40}", name) is None:
        raise typer.BadParameter("a name has lower-case letters, digits and underscores")
    target = (folder or Path(scaicms.__file__).parent / "features") / name
    if target.exists():
        raise typer.BadParameter(f"{target} exists already")
    target.mkdir(parents=True)
    words = name.replace("_", " ")
    values = {
        "name": name,
        "words": words,
        "title": words.capitalize(),
        "path": name.replace("_", "-"),
        "cls": "".join(part.capitalize() for part in name.split("_")),
    }
    for file, text in FILES.items():
        (target / file).write_text(text.format(**values), encoding="utf-8")
    Console().print(
        f"Made {target}. Now add its FEATURE to scaicms/registry.py, its rank to pyproject.toml "
        f"(tool.importlinter) and its tests to tests/features/{name}/.",
        highlight=False,
    )
