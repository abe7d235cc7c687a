"""A worker: subscribes to the jobs and notes each that it heard.

python3 worker.py NAME REDIS_HOST:PORT

Each message of channel ``jobs`` is counted in the hash ``heard`` of Redis, field NAME.
"""

import sys

from redis_lines import Redis


def main() -> None:
    name, place = sys.argv[1:]
    host, _, port = place.rpartition(":")
    jobs, notes = Redis(host, int(port)), Redis(host, int(port))
    jobs.ask("SUBSCRIBE", "jobs")
    notes.ask("HSET", "heard", name, "0")
    print(f"{name} listens", flush=True)
    while True:
        kind, *_ = jobs.listen() or [None]
        if kind == b"message":
            notes.ask("HINCRBY", "heard", name, "1")


if __name__ == "__main__":
    main()
