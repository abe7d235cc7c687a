"""Streams on a link: their two ends, their windows, the frames that wait to be sent."""
