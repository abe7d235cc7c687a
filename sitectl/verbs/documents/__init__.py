"""`apply` and `get`, Skupper v2's files, and `mesh`: wanted state as it is written down."""
