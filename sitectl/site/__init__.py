"""A site as verbs see it, wherever it is stored: `site.Site`, and the site in a directory.

In: a directory. Out: its documents, its secrets, its router's admin API; `places`: all directories.
Invariants: a file is written whole or not at all; secrets are 0600. `sitectl.kubernetes` implements
the same `Site` for namespaces; `sitectl.selection` chooses between them.
"""
