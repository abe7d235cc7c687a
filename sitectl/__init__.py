"""The command line: verbs turn words into documents of a site, or into calls of its admin API.

`main` is the entry; each module of `verbs` holds the verbs of one noun. Below them: `flags` (words
to documents), `show` (what people see), `site` (a site, wherever it is kept) with `kubernetes` (one
that is a namespace), `runtimes` (who keeps its router running), `gateway`, `backup`, `debug`, and
`base` (exit codes, output, flags that every verb takes). Data goes to stdout, progress to stderr.
"""
