"""The operators' side: snapshots, `why`, flows, history, the record, bursts, the console.

In: the rooms of one router (`node`), of its other processes (`workers`) and of other sites
(`asking`). Out: what `router.admin` shows (`views` implements its `RouterView`, `insight` what goes
beyond snapshots), metrics, the journal, hooks of bursts.

Invariants: reads and never steers the data path; nothing here is on the way of a request but what
`flows` notes; every surface has its sentence from the same function. One folder for each subject.
"""
