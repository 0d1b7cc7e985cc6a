"""The container files hold together, as far as that shows without an engine."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from scaicms.infra.jobs import QUEUES
from scaicms.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
HADOLINT = Path(sys.executable).parent / "hadolint"
ADDRESSES = {"DATABASE_URL", "REDIS_URL", "STORAGE_URL"}


def test_every_queue_has_a_service_and_commands_exist():
    services = COMPOSE["services"]
    workers = {service["command"][-1] for name, service in services.items() if name.startswith("worker-")}
    assert workers == set(QUEUES)
    assert services["web"]["command"][:2] == ["scaicms", "serve"]
    assert services["migrate"]["command"] == ["scaicms", "migrate"]


def test_settings_in_the_compose_file_exist():
    known = {f"SCAICMS_{name.upper()}" for name in Settings.model_fields} | ADDRESSES
    for name in ("web", "migrate", "worker-search"):
        assert set(COMPOSE["services"][name]["environment"]) <= known


def test_no_secret_has_a_default():
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    for name in ("SCAICMS_SECRET", "POSTGRES_PASSWORD"):
        assert re.search(rf"\$\{{{name}:\?", text)
        assert not re.search(rf"\$\{{{name}(:?-)", text)


def test_dependencies_name_services_and_volumes_exist():
    services, volumes = COMPOSE["services"], set(COMPOSE["volumes"])
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)
        for volume in service.get("volumes", ()):
            assert volume.split(":")[0] in volumes


def test_the_image_runs_unprivileged_and_stops_by_signal():
    assert re.search(r"^USER \d+$", DOCKERFILE, re.M)
    assert "STOPSIGNAL SIGTERM" in DOCKERFILE
    assert "HEALTHCHECK" in DOCKERFILE
    assert "--require-hashes" in DOCKERFILE
    assert DOCKERFILE.count("\nFROM ") + DOCKERFILE.startswith("FROM ") == 2
    assert ":latest" not in DOCKERFILE


@pytest.mark.skipif(not HADOLINT.exists(), reason="hadolint has no wheel for this platform")
def test_hadolint_finds_nothing():
    done = subprocess.run([HADOLINT, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("schema", "pattern"), [("compose-spec", "docker-compose.yml"), ("github-workflows", ".github/workflows/*.yml")]
)
def test_files_hold_to_their_published_schemas(schema, pattern):
    files = sorted(map(str, ROOT.glob(pattern)))
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *files]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert files
    assert done.returncode == 0, done.stdout
