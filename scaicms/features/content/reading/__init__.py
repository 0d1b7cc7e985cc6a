"""Reading what is imported: an upload becomes rows, and a mapping lays each over a content type.

Pure and synchronous: run it in a thread from the event loop. Nothing here knows the database. The web tier needs the
forms of mappings alone: import the modules, this package has no door that opens all of them.

    for row in sources.open_source(path):
        if isinstance(row, rows.BadRow): ...
        else: mapped = mapping.apply_mapping(row, fields, mapping)
"""
