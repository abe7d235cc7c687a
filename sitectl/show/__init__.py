"""What verbs show to people: text and tables made of what a router or a site tells.

In: JSON of the admin API, documents. Out: lines, or the items of `-o json`.
Invariants: changes nothing; a figure that is not known is `-`, never 0.
"""
