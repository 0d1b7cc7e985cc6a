"""Logs: one JSON object a line, the request named, secrets never."""

import json
import subprocess
import sys

CODE = """
import logging, structlog
from scaicms.infra import logs
from scaicms.settings import Settings
logs.configure_logs(Settings(env="test", log_format="{format}", log_level="{level}"))
logs.request_id.set("r1")
structlog.get_logger("x").info("hello", password="hunter2", api_key="scai_x", number=1)
logging.getLogger("library").warning("from elsewhere")
logs.log_access({{"path": "/x", "status": 200}})
"""


def lines(kind="json", level="info"):
    code = CODE.format(format=kind, level=level)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stderr.splitlines()


def test_every_line_is_an_object_that_names_the_request():
    hello, elsewhere, access = map(json.loads, lines())
    assert (hello["event"], hello["number"], hello["request_id"]) == ("hello", 1, "r1")
    assert (elsewhere["event"], elsewhere["level"]) == ("from elsewhere", "warning")
    assert (access["path"], access["status"], access["request_id"]) == ("/x", 200, "r1")
    assert access["timestamp"].endswith("Z")


def test_values_under_secret_names_never_pass():
    for kind in ("json", "console"):
        text = "\n".join(lines(kind))
        assert "hunter2" not in text
        assert "scai_x" not in text
        assert "[redacted]" in text


def test_a_higher_level_is_quieter():
    assert len(lines(level="warning")) == 1
