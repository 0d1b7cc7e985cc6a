"""The served OpenAPI document held against the running application, with generated requests, right and wrong."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.test_commands import Running

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
)
# What ends the session that requests are made with, or takes its rights: these have a run of their own, the last one.
ENDING = (
    "auth_change_password",
    "auth_disable_totp",  # takes the password, and answers 401 to every other
    "auth_end_session",
    "auth_logout",
    "users_assign_roles",
    "users_delete_user",
    "users_update_user",
)
# Ids that exist, so that not everything ends with "not found".
CONFIG = """
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "409", "412", "413", "415", "422", "429"]

[[operations]]
include-tag = "content"
exclude-name-regex = "^DELETE"
[operations.parameters]
"path.id" = "{item}"
"path.type" = "post"
"path.slug" = "welcome-to-scaicms"
"query.type" = "post"
"""


@pytest.fixture
def running(tmp_path):
    running = Running(tmp_path / "home")
    try:
        running.ready()
        item = running.ask("/api/v1/content?type=post&page_size=1")["items"][0]["id"]
        config = running.home.parent / "schemathesis.toml"
        config.write_text(CONFIG.format(item=item), encoding="utf-8")
        yield running
    finally:
        running.stop()


def fuzz(running, seconds, *more):
    config = running.home.parent / "schemathesis.toml"
    command = [str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(config), "run"]
    command += [f"{running.base}/openapi.json", "--no-color", "--continue-on-failure", "--generation-database", "none"]
    command += ["--header", f"Authorization: Bearer {running.token}", "--header", "X-Site-ID: demo"]
    command += ["--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing", "--mode", "all"]
    command += ["--max-time", str(seconds), "--request-timeout", "20", *more]
    done = subprocess.run(command, cwd=config.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]


@pytest.mark.fuzz
@pytest.mark.timeout(600)
def test_every_answer_is_one_that_the_document_describes(running):
    fuzz(running, 130, *(word for name in ENDING for word in ("--exclude-operation-id", name)))
    # Otherwise the answers above say nothing: all would have been 401.
    assert running.ask("/api/v1/auth/profile")["email"]
    fuzz(running, 30, *(word for name in ENDING for word in ("--include-operation-id", name)))
