"""An operator's hours in virtual time: faults, mistakes and their ends at random, by a seed, and at
each look all that a site says compared with what is so.

``python -m tests.simulation.hours --hours 100 --seed 1`` plays as many as one likes; tests play
some. Three sites with clients of their own, of http or, in some hours, of tcp with connections that
last; every few seconds somebody drains a site, kills a target, cuts a link, lets a router stand
still, changes a policy, or takes that back (`acts`).

The law: **what is said in the present is so, and was so within the last seconds where another site
tells it; a figure is one of the last seconds; what lasts is said.** `truth` samples what is so,
`ways` which site has a way to which. `eye` reads all that a router says, `typed` what `sitectl`
prints of it. One law for one kind of sentence:

- `claims`: sentences that say something in the present, each with what makes it true;
- `omissions`: what must be said;
- `printed`: what `sitectl` adds, in words, tables, figures and exit codes;
- `counted`: counters and gauges, on `/metrics` and in tables, beside what clients saw;
- `remembered`: `why --last`, by what was so when a request was decided and what its client got;
- `next_request`: where `why` sends the next request, by making one;
- `episodes`, `changes`: events, each begun once, ended in time, with figures that fit.
"""
