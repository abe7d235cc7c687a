"""Foundations of every verb: common flags, exit codes, output, tables, texts, the screen.

In: words of a command line. Out: text, JSON or YAML on stdout, progress and errors on stderr.
Invariants: knows no site, no router and no verb.
"""
