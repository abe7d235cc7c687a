"""Problems and notes of `status`: what is wrong and needs a person, with a code and a next step.

Pure: figures and tables in, `Problem`s and notes out. Nothing here remembers.
Invariants: one code means one thing; the sentence and its next step stand in one place.
"""
