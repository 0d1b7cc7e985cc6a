"""What operators import elsewhere asks for metrics that exist."""

import json
import re
from importlib import import_module
from pathlib import Path

import promql_parser
import yaml
from prometheus_client import REGISTRY

from scaicms import registry
from scaicms.infra.jobs import QUEUES
from scaicms.infra.jobs.metrics import GAUGES

CONFIG = Path(__file__).parents[2] / "config"
ALERTS = yaml.safe_load((CONFIG / "alerts.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
BOARD = json.loads((CONFIG / "grafana" / "fleet.json").read_text(encoding="utf-8"))
GUIDE = (CONFIG.parent / "docs" / "operations" / "workers.md").read_text(encoding="utf-8")


def expressions():
    yield from (rule["expr"] for rule in ALERTS)
    yield from (target["expr"] for panel in BOARD["panels"] for target in panel["targets"])


def known_metrics():
    import_module("scaicms.worker")  # a worker's metrics exist where its modules are loaded
    ours = {name for name, _ in GAUGES.values()} | {"scaicms_fleet_up"}
    ours |= {name for figures in registry.figures() for name, _ in figures.gauges.values()}
    for metric in REGISTRY.collect():
        if metric.name.startswith("scaicms_"):
            ours |= {metric.name, *(f"{metric.name}_{suffix}" for suffix in ("total", "bucket", "sum", "count"))}
    return ours


def test_expressions_are_promql_over_metrics_that_exist(client):
    names = set()
    for expression in expressions():
        promql_parser.parse(expression)
        names |= set(re.findall(r"\bscaicms_\w+", expression))
    assert len(names) > 10
    assert names <= known_metrics()


def test_every_alert_is_explained():
    for rule in ALERTS:
        assert f"| {rule['alert']} |" in GUIDE


def test_panels_do_not_overlap():
    taken = set()
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        assert place["x"] + place["w"] <= 24


def test_every_queue_is_in_the_guide():
    for queue in QUEUES.values():
        assert f"| `{queue.name}` |" in GUIDE
        assert f"| {queue.timeout:g} s |" in GUIDE


async def test_what_features_contribute_is_told_alerted_on_and_shown(client):
    text = await (await client.get("/metrics")).text()
    told = set(re.findall(r"^(scaicms_\w+)(?:{| )", text, re.MULTILINE))
    names = {name for figures in registry.figures() for name, _ in figures.gauges.values()}
    assert "scaicms_schedule_due" in names
    assert names <= told
    watched = " ".join(rule["expr"] for rule in ALERTS)
    assert "scaicms_schedule_oldest_due_seconds" in watched
    shown = " ".join(target["expr"] for panel in BOARD["panels"] for target in panel["targets"])
    assert all(name in shown for name in names)
