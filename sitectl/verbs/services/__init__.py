"""Services: made, bound, set, shared; `expose`, `burst`, `sidecar`."""
