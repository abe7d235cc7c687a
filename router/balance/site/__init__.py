"""Slots of this site: their holders, the requests that wait for one, slots lent to other sites."""
