"""`scaicms user`: the first administrator, without logging in."""

import asyncio
import secrets
from typing import Annotated

import typer
from rich.console import Console

from scaicms.connect import create_services
from scaicms.features.roles.service import RoleService
from scaicms.features.users.service import UserService
from scaicms.kit.principal import SYSTEM
from scaicms.settings import get_settings

app = typer.Typer(name="user", help="People who can log in.", no_args_is_help=True, add_completion=False)


@app.callback()
def _users() -> None:
    """Keeps `create-admin` a command of its own while it is the only one."""


@app.command("create-admin")
def create_admin(
    email: Annotated[str, typer.Argument(help="E-mail address to log in with.")],
    password: Annotated[
        str | None, typer.Option(envvar="SCAICMS_ADMIN_PASSWORD", help="Made up and printed when absent.")
    ] = None,
) -> None:
    """Make an administrator. Exit code 1 when somebody has that address already."""
    console = Console()
    chosen = password or secrets.token_urlsafe(15)
    if not asyncio.run(_create(email, chosen)):
        console.print(f"There is a user with the address {email} already.")
        raise typer.Exit(1)
    console.print(f"Administrator {email} made." + ("" if password else f" Password: {chosen}"))


async def _create(email: str, password: str) -> bool:
    async with create_services(get_settings(), kind="worker") as services:
        await services.get(RoleService).ensure_built_in(SYSTEM)
        return await services.get(UserService).ensure_administrator(SYSTEM, email, password)
