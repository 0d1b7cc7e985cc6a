"""PostgreSQL and Valkey from their wheels, and the processes of `scaicms dev`. Knows nothing else of scaiCMS."""
