"""Targets of this site: what each holds and may hold, how soon it answers, which one is next."""
