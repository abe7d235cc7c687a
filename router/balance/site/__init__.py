"""Slots of this site: who holds one, who waits for one, what is lent to other sites."""
