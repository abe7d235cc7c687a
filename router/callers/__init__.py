"""Who calls whom: the callers of this site's listeners by name, and what each asked of whom.

Pure. `callers` is the owner: it takes each client connection, finds out later or at once whose it
is (`names.CallerNames`, which `process` supplies), and keeps what `edges` counts. `target_calls`
counts what targets of this site did with their requests, from any site. `tenures` says
whose an address was at a time; `reports` has the figures of one process, and adds those of several.
"""
