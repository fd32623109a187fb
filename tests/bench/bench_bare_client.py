"""The least that creating N tokens can cost with the HTTP library that the product uses: N POSTs, one client a thread.

python bench_bare_client.py URL N THREADS
"""

from __future__ import annotations

import queue
import sys
import threading

import httpx


def main() -> None:
    url, count, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    work: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    for number in range(count):
        work.put(number)

    def serve() -> None:
        with httpx.Client(verify=False, trust_env=False) as client:  # noqa: S501  # plain http to loopback
            while work.get() is not None:
                answer = client.post(f"{url}/v1/tokens/create", json={"appKey": "bench", "appSecret": "bench"})
                assert answer.json()["accessToken"]

    workers = [threading.Thread(target=serve) for _ in range(threads)]
    for worker in workers:
        work.put(None)
        worker.start()
    for worker in workers:
        worker.join()


if __name__ == "__main__":
    main()
