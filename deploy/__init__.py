"""All YAML files in this directory, made by the renderer of `router.kubernetes.manifests`.

``python -m deploy`` writes them; a test compares. Files that are not generated are marked: the
values and the schema of the chart, and the examples.
"""
