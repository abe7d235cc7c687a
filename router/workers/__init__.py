"""The other processes of one router: started, led, asked, and their figures summed.

In: what the first process wants; lines of the other workers over a socket pair (`worker_messages`).
Out: one picture of all (`combined_figures`), counters that outlive a worker (`lasting_counters`).
`workers` leads them, `one_worker` is one of them as the first one knows it; sums are pure.

Invariants: whoever looks sees the router, never one process of it; a worker that is silent keeps
its last figures; the data path never waits for another process.
"""
