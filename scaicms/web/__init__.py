"""HTTP, and nothing but: aiohttp, request parsing, answers, errors, OpenAPI. It knows no feature."""
