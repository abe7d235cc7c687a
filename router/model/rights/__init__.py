"""Who may see, use and own a service: owners of names, their grants, sharing rules.

Pure: takes declarations and `now`, returns permissions.
"""
