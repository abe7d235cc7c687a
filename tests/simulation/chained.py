"""Two services, one calls the other, which is in the east only."""

CHAIN = """apiVersion: spillway/v1
kind: Scenario
name: chained
spec:
  duration: 4s
  sites: [west, east]
  links:
    - {between: [west, east], cost: 1, rtt: 40ms}
  services:
    - {name: front, calls: [{service: database, count: 3}], answer: 1KiB}
    - {name: database, answer: 10KiB}
  targets:
    - {site: west, service: front, capacity: 10, serviceTime: 5ms}
    - {site: east, service: front, capacity: 10, serviceTime: 5ms}
    - {site: east, service: database, capacity: 10, serviceTime: 10ms}
  arrivals:
    - {site: west, service: front, kind: steady, rate: 20/s}
"""
