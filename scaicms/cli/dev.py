"""`scaicms dev`: everything on one machine with one command."""

import asyncio
import secrets
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import aiohttp
import psutil
import typer
from pydantic import SecretStr
from rich.console import Console
from rich.panel import Panel

import scaicms
from scaicms import registry
from scaicms.connect import create_services
from scaicms.demo import ensure_demo
from scaicms.embedded.engine import EngineError
from scaicms.embedded.guardian import Guardian
from scaicms.embedded.lock import HomeInUseError, locked
from scaicms.embedded.postgres import EmbeddedPostgres
from scaicms.embedded.supervisor import ChildFailedError, ChildSpec, Supervisor
from scaicms.embedded.valkey import EmbeddedValkey
from scaicms.features.roles.service import RoleService
from scaicms.features.users.service import UserService
from scaicms.infra.db.migrations import migrate
from scaicms.infra.engines import refuse_wrong_redis, wait_for_postgres
from scaicms.kit.principal import SYSTEM
from scaicms.settings import RUNTIME_FILE, Settings

COLOURS = {"postgres": "blue", "valkey": "magenta", "web": "green", "worker": "yellow"}


def dev(
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port of the web tier (SCAICMS_PORT).")] = None,
    reload: Annotated[bool, typer.Option(help="Restart web and worker when sources change.")] = True,
) -> None:
    """Start PostgreSQL, Valkey, web and worker, with a first administrator and a demo site.

    DATABASE_URL and REDIS_URL replace the embedded engines; SCAICMS_HOME is the folder of their data.
    """
    started = time.monotonic()
    console = Console()
    settings = Settings(env="development")
    if port is not None:
        settings = settings.model_copy(update={"port": port})
    try:
        with locked(settings.home):
            _refuse_used_port(settings)
            asyncio.run(_dev(settings, console, started, reload=reload))
    except asyncio.CancelledError:
        return  # told to stop before everything was up: that is no failure
    except (HomeInUseError, PortInUseError, EngineError, ChildFailedError) as error:
        console.print(f"[red]{error}[/]", highlight=False)
        raise typer.Exit(1) from None


class PortInUseError(RuntimeError):
    """Somebody else listens on the port."""


def _refuse_used_port(settings: Settings) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError:
            holder = _listener(settings.port)
            by = f" by {holder}" if holder else ""
            message = f"Port {settings.port} is in use{by}. Stop that, or choose another: SCAICMS_PORT=8001 make run"
            raise PortInUseError(message) from None


def _listener(port: int) -> str | None:
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    except (psutil.Error, PermissionError):
        return None
    return None


async def _dev(settings: Settings, console: Console, started: float, *, reload: bool) -> None:
    supervisor = Supervisor(console, Guardian())
    _stop_on_signals()
    try:
        env = await _engines(settings, supervisor)
        settings = settings.model_copy(update={"database_url": env["DATABASE_URL"], "redis_url": env["REDIS_URL"]})
        settings = settings.model_copy(update={"secret": _secret(settings)})
        env["SCAICMS_SECRET"] = settings.secret.get_secret_value()
        _keep_runtime(settings, env)
        await wait_for_postgres(settings)
        await refuse_wrong_redis(settings)
        await migrate(settings.database_url, registry.model_modules())
        python = [sys.executable, "-m", "scaicms"]
        await supervisor.start(ChildSpec("web", [*python, "serve"], COLOURS["web"], env, reload=True))
        await supervisor.start(ChildSpec("worker", [*python, "worker"], COLOURS["worker"], env, reload=True))
        password = await _seed(settings)
        await supervisor.wait_until(lambda: _is_ready(settings), "the web tier")
        _announce(console, settings, password, time.monotonic() - started)
        await supervisor.run(watch=[Path(scaicms.__file__).parent] if reload else ())
    finally:
        await supervisor.stop()


def _stop_on_signals() -> None:
    """While everything starts, signals cancel the start; once it runs, they are the supervisor's."""
    loop, starting = asyncio.get_running_loop(), asyncio.current_task()
    if starting is not None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, starting.cancel)


async def _engines(settings: Settings, supervisor: Supervisor) -> dict[str, str]:
    """Start the engines that no address replaces; the environment of the other children."""
    starting = []
    database_url, redis_url = settings.database_url, settings.redis_url
    if not database_url:
        postgres = EmbeddedPostgres(settings.home)
        database_url = postgres.url
        starting.append(supervisor.start_engine(postgres, COLOURS["postgres"]))
    if not redis_url:
        valkey = EmbeddedValkey(settings.home)
        redis_url = valkey.url
        starting.append(supervisor.start_engine(valkey, COLOURS["valkey"]))
    await asyncio.gather(*starting)
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SCAICMS_ENV": "development",
        "SCAICMS_HOME": str(settings.home.resolve()),
        "SCAICMS_PORT": str(settings.port),
        "SCAICMS_HOST": settings.host,
        "SCAICMS_LOG_FORMAT": "console",
    }


def _secret(settings: Settings) -> SecretStr:
    """The signing secret: the one given, else one made at the first start and kept in the home."""
    if settings.secret.get_secret_value():
        return settings.secret
    file = settings.home / "secret"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(48), encoding="utf-8")
    return SecretStr(file.read_text(encoding="utf-8"))


def _keep_runtime(settings: Settings, env: Mapping[str, str]) -> None:
    """Write down where everything is, so that `scaicms import` and the like in another shell find it."""
    file = settings.home / RUNTIME_FILE
    file.touch(mode=0o600)
    file.write_text("".join(f"{name}={value}\n" for name, value in env.items()), encoding="utf-8")


async def _seed(settings: Settings) -> str | None:
    """The first administrator and the demo site; the password when it was made up just now."""
    given = settings.admin_password.get_secret_value() if settings.admin_password is not None else None
    password = given or secrets.token_urlsafe(15)
    async with create_services(settings, kind="worker") as services:
        await services.get(RoleService).ensure_built_in(SYSTEM)
        made = await services.get(UserService).ensure_administrator(SYSTEM, settings.admin_email, password)
        await ensure_demo(services)
    return password if made and given is None else None


async def _is_ready(settings: Settings) -> bool:
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session,
            session.get(f"http://{settings.host}:{settings.port}/readyz") as response,
        ):
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


def _announce(console: Console, settings: Settings, password: str | None, seconds: float) -> None:
    address = f"http://localhost:{settings.port}"
    shown = f"password [bold]{password}[/] (shown this once)" if password else "password as set before"
    console.print(
        Panel(
            f"Site      {address}/\nAPI       {address}/api/v1\nDocs      {address}/docs\n"
            f"Login     {settings.admin_email}, {shown}\nHome      {settings.home.resolve()}\n"
            f"Ready in  {seconds:.1f} s. Ctrl-C stops everything.",
            title="scaiCMS",
            expand=False,
        )
    )
