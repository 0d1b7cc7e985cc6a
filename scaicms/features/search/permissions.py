"""What can be permitted about search and queues."""

from scaicms.kit.permissions import Permission

QUEUES = Permission("search:queues", "See queues, workers and jobs of a site; held everywhere, of all sites")

OPERATE = Permission(
    "search:operate", "Retry and cancel jobs of a site; held everywhere, of all sites, and pause queues"
)

ALL = (QUEUES, OPERATE)
