"""Flags of verbs that make or change something, and the documents that they become.

One module for each subject. In: words as they were typed. Out: specs of documents, or a failure
that names the flag and the next step. Invariants: prints nothing but progress; writes by a `Site`
alone.
"""
