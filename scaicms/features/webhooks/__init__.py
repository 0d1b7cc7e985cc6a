"""Telling other systems what happened: webhooks, their deliveries, and the feed of events."""
