"""The command line: verbs turn words into documents of a site, or into calls of its admin API.

`main` is the entry; each module of `verbs` holds the verbs of one noun. `store` knows the state
directory, `admin` the router's API, `process` the router as a process. Data goes to stdout,
progress to stderr, and `failure.Exit` are the exit codes.
"""
