"""`init`, `run`, `status`, `check` and their kin: the site itself, from first day to last."""
