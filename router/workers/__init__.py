"""The other processes of one router: started, led, queried, and their figures summed.

In: the wishes of the first process; messages of the other workers over a socket pair
(`worker_messages`). Out: combined figures (`combined_figures`), what the others reported
(`other_reports`), counters that outlive a worker (`lasting_counters`). `workers` leads them,
`one_worker` is the first one's view of another; sums are pure.

Invariants: users see the router, never a single process of it; a silent worker keeps its last
figures; the data path never waits for another process.
"""
