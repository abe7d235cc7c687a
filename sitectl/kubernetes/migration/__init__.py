"""`migrate`: what Skupper has in a namespace (`survey`, by release), and the steps that move it.

`router.kubernetes.migration` decides what follows; `migration_run` reads, writes and waits.
"""
