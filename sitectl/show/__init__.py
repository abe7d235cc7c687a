"""The output of verbs: text and tables of the data of a router or a site.

In: JSON of the admin API, documents. Out: lines, or the items of `-o json`.
Invariants: changes nothing; an unknown figure is `-`, never 0.
"""
