"""The operators' side: snapshots, `why`, flows, history, the record, bursts, the console.

In: the rooms of one router (`node`), of its other processes (`workers`) and of other sites
(`asking`). Out: everything that `router.admin` shows (`views` implements its `RouterView`,
`insight` the rest), metrics, the journal, hooks of bursts.

Invariants: it reads the data path and never steers it; only `flows` records anything on a request's
path; every surface gets its sentence from the same function. One folder for each subject.
"""
