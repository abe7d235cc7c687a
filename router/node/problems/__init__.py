"""Problems and notes of `status`: faults that need a person, with a code and a next step.

Pure: values and tables in, `Problem`s and notes out. Nothing here remembers.
Invariants: one code means one thing; the sentence and its next step are in one place.
"""
