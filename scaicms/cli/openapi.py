"""`scaicms openapi`: the OpenAPI document, without starting anything."""

import typer

from scaicms.app import create_app
from scaicms.kit import json
from scaicms.settings import Settings
from scaicms.web.openapi import openapi_document


def openapi() -> None:
    """Print the OpenAPI 3.1 document of this version."""
    app = create_app(Settings(env="test"))
    typer.echo(json.dumps(openapi_document(app)))
