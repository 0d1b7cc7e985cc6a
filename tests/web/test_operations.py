"""Endpoints for operators."""


async def test_healthz_readyz_and_metrics_answer(client):
    assert (await client.get("/healthz")).status == 200
    ready = await client.get("/readyz")
    assert (ready.status, (await ready.json())["checks"]["migrations"]) == (200, "ok")
    metrics = await (await client.get("/metrics")).text()
    assert "scaicms_http_seconds_bucket" in metrics


async def test_head_answers_where_get_does(client):
    response = await client.head("/openapi.json")
    assert response.status == 200
