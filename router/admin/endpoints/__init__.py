"""One module for each group of API paths, with its requests and answers."""
