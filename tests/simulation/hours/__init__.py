"""An operator's hours in virtual time: faults, mistakes and their ends at random, by a seed, and at
each look all that a site says compared with what is so.

``python -m tests.simulation.hours --hours 100 --seed 1`` plays as many as one likes; tests play
some. Three sites with clients of their own; every few seconds somebody drains a site, kills a
target, cuts a link, changes a policy, or takes that back.

The law: **what is said in the present is so, and was so within the last seconds where another site
tells it; a figure is one of the last seconds; what lasts is said.** `claims` has the sentences that
say something in the present, each with what makes it true; `omissions` what must be said.
"""
