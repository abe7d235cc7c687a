"""An outcome: the figures of a run, beside those of the ideal and of Skupper's rule. Pure.

In: a `RunRecord`. Out: a `RunOutcome`.

`figures` of each site over time and in all · `ideal` every request at its own site while a slot is
free there · `skupper`, `event_queue` Skupper's rule, fed the same requests.
"""
