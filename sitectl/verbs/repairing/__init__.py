"""`backup`, `restore`, `migrate` and `debug`."""
