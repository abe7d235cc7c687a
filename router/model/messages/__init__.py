"""Messages between routers: adverts, reports, rows for edges, and their encoding.

Only shape, types and sizes are checked here; the receiver judges the content.
"""
