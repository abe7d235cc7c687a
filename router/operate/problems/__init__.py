"""What is wrong with requests by the last seconds: they fail, wait, leave the site, or ask in vain.

Beside `node.problems`, which knows the wanted state and the tables, this reads figures of traffic.
"""
