"""An operator's hours in virtual time: faults, mistakes and their ends at random, by a seed, and at
each look all that a site says compared with the truth.

``python -m tests.simulation.hours --hours 100 --seed 1`` plays as many as one likes; tests play
some. Three sites with separate clients of a service of http or, in some hours, of tcp with
connections that last; in some there is another service over the same links, or one of the sites is
an edge, or has two routers, or clients give up, or half of the requests are sheddable. Every few
seconds an operator drains a site, kills a target, cuts a link or lets it flap, lets a router stand
still or find its port taken, misspells a name, changes a policy, or takes that back (`acts`).
Routers are replaced one after the other, clocks are set, a site is deleted and made again, and an
edge dials another neighbor.

The law: **a sentence in the present is true, or was within the last seconds where it comes from
another site; a figure is one of the last seconds; a lasting state is reported; and each is of the
service that it names.** `network` samples the truth of routers and links, `ways` which site has a
way to which, `truth` that of one service. `eye` reads all that a router says, `typed` the output of
`sitectl`. One law for one kind of sentence:

- `claims`: sentences in the present, each with the condition that makes it true;
- `omissions`: sentences that must be there, and numbers of targets and slots;
- `printed`: additions of `sitectl`, in words, tables, figures and exit codes;
- `rates`: figures of the last seconds on requests that came and on those that other sites served;
- `counted`: counters and gauges, on `/metrics` and in tables, beside what clients saw;
- `remembered`: `why --last`, by the truth when a request was decided and its client's answer;
- `owned`: whose declaration counts, and who owns the name: all routers agree;
- `next_request`: where `why` sends the next request, by making one;
- `episodes`, `changes`: events, each begun once, ended in time, with figures that fit.
"""
