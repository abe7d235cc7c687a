"""Problems of requests over the last seconds: they fail, wait, spill, or find no target.

This reads figures of traffic; `node.problems` reads the wanted state and the tables.
"""
