"""Texts of Skupper v2 as documents, and what vanished of them."""
