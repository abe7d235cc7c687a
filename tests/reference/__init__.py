"""The pages of docs/ that are made from the code: ``python -m tests.reference`` writes them again.

Each module has ``page()``, the whole page; a test compares it with the file in docs/.
"""
