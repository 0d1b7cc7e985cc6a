"""What Tortoise's own command needs: `tortoise -c scaicms.migrating.TORTOISE makemigrations`."""

from scaicms import registry
from scaicms.infra.db.connection import tortoise_config

# Writing migrations compares models with migrations; no database is asked.
TORTOISE = tortoise_config("postgresql://localhost/scaicms", registry.model_modules())
