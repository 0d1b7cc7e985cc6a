"""scaiCMS: a multi-site, API-first content management system driven by durable jobs."""

__version__ = "0.1.0"
