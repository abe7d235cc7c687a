"""What the API shows: frozen snapshots, field for field what `sitectl … -o json` prints.

Times are UTC ISO 8601, ``*_s`` seconds, ids lower-case hex. ``None`` means not known or not
configured.
"""
