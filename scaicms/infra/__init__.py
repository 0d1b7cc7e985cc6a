"""Everything outside the process, one folder each: database, jobs, events, storage, Redis."""
