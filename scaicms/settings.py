"""Settings of one process, read once at start-up from the environment (and `.env`, if there is one).

Everything is prefixed `SCAICMS_`, but for the addresses that other programs name the same way: `DATABASE_URL`,
`REDIS_URL`, `STORAGE_URL`, `SMTP_URL`.
"""

import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, IPvAnyNetwork, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MIN_SECRET_BYTES = 32
RUNTIME_FILE = "runtime.env"


class MappedRole(BaseModel):
    """A role that a group of a provider gives; `site` is the site's key, everywhere when absent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: str
    site: str | None = None


class OidcProvider(BaseModel):
    """An OpenID provider whose word on who somebody is we take."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    key: str = Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")
    name: str = ""
    """As a login page shows it."""
    issuer: str = Field(max_length=300)
    client_id: str
    client_secret: SecretStr = SecretStr("")
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    group_claim: str = "groups"
    """Where the groups are; a dotted path into nested claims (`realm_access.roles`)."""
    role_map: dict[str, tuple[MappedRole, ...]] = {}
    create_users: bool = True
    link_by_email: bool = False
    """Whether a verified address leads to the account that has it already."""
    trust_email: bool = False
    """Whether addresses are verified although the provider does not say so."""
    second_factor: bool = False
    """Whether the provider asks for a second factor itself, so that one of ours is not needed."""
    allow_private: bool = False
    """Whether the provider stands in the networks of the house."""
    redirect_uri: str | None = None
    """Where the provider sends people back; by default the callback of the API at `public_url`."""


class Settings(BaseSettings):
    """What a process is told by its environment. Times are in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(
        env_prefix="SCAICMS_", env_file=".env", extra="ignore", populate_by_name=True, hide_input_in_errors=True
    )

    env: Literal["development", "production", "test"] = "production"
    home: Path = Path(".scaicms")
    """Folder of the embedded engines, local files and generated secrets."""
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    processes: int = Field(default=1, ge=1, le=64)
    public_url: str | None = None
    """How this installation is reached from outside (`servers` of the OpenAPI document); never taken from `Host`."""
    trusted_proxies: tuple[IPvAnyNetwork, ...] = ()
    """Networks (JSON list of CIDRs) whose `X-Forwarded-For` is believed. Empty: nobody's."""
    secret: SecretStr = SecretStr("")
    """Signs access tokens and cursors; at least 32 bytes."""

    database_url: str = Field(default="", validation_alias=AliasChoices("DATABASE_URL", "database_url"))
    redis_url: str = Field(default="", validation_alias=AliasChoices("REDIS_URL", "redis_url"))
    storage_url: str = Field(default="", validation_alias=AliasChoices("STORAGE_URL", "storage_url"))
    db_pool_size: int = Field(default=10, ge=2, le=200)
    read_pool_size: int = Field(default=10, ge=1, le=200)
    search_pool_size: int = Field(default=4, ge=1, le=200)
    """Connections for searches and for lists that no index answers; other reads never wait for these."""
    search_statement_timeout: float = Field(default=2.0, gt=0)
    web_statement_timeout: float = Field(default=5.0, gt=0)
    worker_statement_timeout: float = Field(default=60.0, gt=0)

    admin_email: str = "admin@example.com"
    admin_password: SecretStr | None = None

    smtp_url: SecretStr = Field(
        default=SecretStr(""), validation_alias=AliasChoices("SCAICMS_SMTP_URL", "SMTP_URL", "smtp_url")
    )
    """`smtp://user:password@host:587` (STARTTLS) or `smtps://…:465`. Empty: files in the home; in production none."""
    mail_from: str = Field(default="scaiCMS <scaicms@localhost>", max_length=320, pattern=r"^[^\r\n]+$")
    password_reset_seconds: int = Field(default=3600, ge=60)
    invitation_seconds: int = Field(default=7 * 24 * 3600, ge=60)

    oidc: tuple[OidcProvider, ...] = ()
    """Providers to log in by (a JSON list)."""

    clock_leeway_seconds: int = Field(default=300, ge=0, le=900)
    """How far ahead the time of issue of an access token may lie. Processes go by the database's clock; this is for the
    moment before they know it."""
    access_token_seconds: int = Field(default=1800, ge=60)
    refresh_token_seconds: int = Field(default=7 * 24 * 3600, ge=300)

    delivery_cache_bytes: int = Field(default=4 * 1024 * 1024, ge=0)
    """How much of what it delivered each web process keeps to deliver it again; 0: nothing."""

    export_spool_bytes: int = Field(default=4 * 1024**3, ge=1024 * 1024)
    """Size of the temporary file that an export of content may fill while its reader is slow."""
    body_limit: int = Field(default=1024 * 1024, ge=1024)
    storage_grace_hours: float = Field(default=24.0, ge=1)
    """How old a stored file without a row must be before the sweep removes it."""
    upload_limit: int = Field(default=200 * 1024 * 1024, ge=1024)
    body_idle_seconds: float = Field(default=10.0, gt=0)

    webhook_reach: Literal["public", "private", "loopback"] | None = None
    """How far webhooks may reach: the open Internet on ports 80 and 443; also the networks of the house; also this
    machine, on any port (never in production). By default in development this machine, elsewhere the open Internet."""
    webhook_days: int = Field(default=30, ge=1, le=3650)
    """How long deliveries of webhooks are kept, with requests and answers."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"

    audit_retention_days: int = Field(default=90, ge=0)
    """Days after which events leave the audit log, which is also the feed of webhooks; 0: never."""
    schedule_days: int = Field(default=90, ge=0)
    """Days after which scheduled actions that have ended are removed; 0: never."""
    ended_key_days: int = Field(default=365, ge=0)
    """Days after which API keys that were revoked or have expired are removed; 0: never."""

    history_days: int = Field(default=30, ge=0, le=36_500)
    """How long all revisions and past documents are kept, then the last of each day; 0: all for ever."""
    preview_seconds: int = Field(default=3600, ge=60, le=7 * 24 * 3600)
    """How long the token of a preview opens its draft."""
    trash_days: int = Field(default=30, ge=0)
    """How long what is deleted stays in the trash before it is removed for good; 0: until somebody does it."""

    worker_concurrency: int = Field(default=10, ge=1, le=500)
    """Jobs that one worker runs at a time on one queue."""
    queue_concurrency: dict[str, Annotated[int, Field(ge=1, le=500)]] = {}
    """The same for single queues (JSON): `{"ai": 2}`."""
    worker_max_memory_mb: int = Field(default=512, ge=0)
    """A worker that holds more (MiB) drains and begins anew; 0: never."""
    worker_max_age_seconds: int = Field(default=0, ge=0)
    """A worker that is older drains and begins anew; 0: never."""
    metrics_port: int | None = Field(default=None, ge=1, le=65535)
    """Where a worker answers Prometheus; the web tier does so at `/metrics`."""
    done_jobs_days: float = Field(default=7, gt=0)
    """How long finished and cancelled jobs are kept."""
    failed_jobs_days: float = Field(default=90, gt=0)
    """How long dead and quarantined jobs are kept, to be looked at and retried."""
    start_wait_seconds: float = Field(default=60.0, ge=0)
    """How long a process that starts waits for PostgreSQL before it ends with exit code 69. ARQ's own command waits for
    Redis, too."""
    drain_seconds: int = Field(default=25, ge=0)
    """How long a process that is told to stop waits for what it has begun."""

    @property
    def outbound_reach(self) -> Literal["public", "private", "loopback"]:
        """How far webhooks reach in this environment."""
        return self.webhook_reach or ("loopback" if self.env == "development" else "public")

    @property
    def link_base(self) -> str | None:
        """What links in mails begin with: `public_url`, on a laptop without it this machine, in production nothing."""
        if self.public_url is not None:
            return self.public_url.rstrip("/")
        return None if self.env == "production" else f"http://localhost:{self.port}"

    @model_validator(mode="after")
    def _refuse_unknown_mail_servers(self) -> Self:
        url = urlsplit(self.smtp_url.get_secret_value())
        if url.geturl() and (url.scheme not in ("smtp", "smtps") or not url.hostname):
            raise ValueError("SMTP_URL must be like smtp://host:25 or smtps://user:password@host:465")
        return self

    @model_validator(mode="after")
    def _refuse_unsafe_production(self) -> Self:
        """Design §7: production does not start with a default or short secret, nor without its engines named."""
        if self.env != "production":
            return self
        problems = []
        if len(self.secret.get_secret_value().encode()) < MIN_SECRET_BYTES:
            problems.append(f"SCAICMS_SECRET must have at least {MIN_SECRET_BYTES} bytes (openssl rand -hex 32)")
        if not self.database_url:
            problems.append("DATABASE_URL is not set (postgresql://user:password@host/database)")
        if not self.redis_url:
            problems.append("REDIS_URL is not set (redis://host:6379/0)")
        if any(urlsplit(provider.issuer).scheme != "https" for provider in self.oidc):
            problems.append("every issuer in SCAICMS_OIDC must begin with https://")
        if any(provider.redirect_uri is None for provider in self.oidc) and self.public_url is None:
            problems.append("SCAICMS_OIDC needs SCAICMS_PUBLIC_URL, where providers send people back")
        if self.public_url is not None and urlsplit(self.public_url).scheme not in ("http", "https"):
            problems.append("SCAICMS_PUBLIC_URL must begin with http:// or https://")
        if self.webhook_reach == "loopback":
            problems.append("SCAICMS_WEBHOOK_REACH must not be loopback: webhooks would reach this very machine")
        if problems:
            raise ValueError("; ".join(problems) + ". For a laptop, `scaicms dev` sets all of it up.")
        return self


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once.

    Where `scaicms dev` has written down its addresses, other commands on the same home use them.
    """
    home = Path(os.environ.get("SCAICMS_HOME", ".scaicms"))
    runtime = home / RUNTIME_FILE
    files = (".env", runtime) if runtime.exists() else (".env",)
    return Settings(_env_file=files)
