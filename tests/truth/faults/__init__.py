"""The table of faults, a module for each group of them."""
