"""API answers: frozen snapshots, field for field as in `sitectl … -o json`.

Times are UTC ISO 8601, ``*_s`` seconds, ids lower-case hex. ``None`` means unknown or not
configured.
"""
