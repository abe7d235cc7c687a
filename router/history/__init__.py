"""The history of a router's service ports in the last 15 minutes, and in the last seconds.

In: every fraction of a second the requests in flight, every few seconds the totals of each service
port (`readings`). Out: one sample per step, the changes since a moment a few seconds ago, and the
average number in flight.

Pure: no clock, no sockets; times are passed in. Bounded: service ports, samples per port, sites per
sample (`limits.HISTORY_…`). Idle service ports cost next to nothing: equal samples are stored once.

Reading order: `readings`, `recent`, `in_flight_means`.
"""
