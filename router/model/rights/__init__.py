"""Who may see, use and own which service: owners of names, their grants, rules of sharing.

Pure: what was declared and `now` come in, what is allowed goes out.
"""
