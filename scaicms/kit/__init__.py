"""Pure building blocks: nothing here knows of a database, a queue or a request."""
