"""What routers say to each other: adverts, reports, rows for edges, and how they are packed.

Shape, types and sizes alone; who receives a message judges what it says.
"""
