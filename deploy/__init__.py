"""Everything in this directory that is YAML, made by the renderer of `router.kubernetes.manifests`.

``python -m deploy`` writes it anew; a test compares. What is not generated says so: the values and
the schema of the chart, and the examples.
"""
