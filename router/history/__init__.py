"""What the service ports of a router did in the last quarter of an hour, and in the last seconds.

In: every fraction of a second what is in flight, every few seconds the totals of each service port
(`readings`). Out: one sample for each step, what happened since a moment a few seconds ago, and
what was in flight on average.

Pure: no clock, no sockets; moments are handed in. Bounded: service ports, samples of each, sites of
a sample (`limits.HISTORY_…`). Idle service ports cost next to nothing: equal samples are kept once.

Reading order: `readings`, `recent`, `busy`.
"""
