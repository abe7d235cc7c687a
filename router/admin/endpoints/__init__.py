"""One module for each group of paths of the API: what is asked, and what is answered."""
