"""Objects of Skupper v2 as documents."""
