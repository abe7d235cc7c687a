"""Wanted state as text: YAML documents in, `model.specs` values out, with the place of each error.

Pure: text in, values or `ConfigError`s out. Both the router (`control`) and `sitectl` read and
write documents through this room, so that one grammar exists.
"""
