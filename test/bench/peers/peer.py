"""What the peers share: their order, fetching pages, and the report of what the process used."""

import http.client
import json
import os
import resource
import sys
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from threading import local

ORDER = json.loads(sys.argv[1])
_thread = local()


def page_list():
    with open(ORDER["pageListFile"]) as file:
        return json.load(file)


def fetch(path):
    """One page as it comes: gzip."""
    if not hasattr(_thread, "connection"):
        origin = urllib.parse.urlsplit(ORDER["url"])
        _thread.connection = http.client.HTTPConnection(origin.hostname, origin.port)
    headers = {"accept": "application/json", "accept-encoding": "gzip"}
    _thread.connection.request("GET", path, headers=headers)
    answer = _thread.connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{path}: status {answer.status}")
    return body


def steps():
    """Paths of pages, as many at a time as one step takes."""
    pages, size = page_list(), ORDER["pagesAtOnce"]
    return [pages[start : start + size] for start in range(0, len(pages), size)]


def fetch_to_disk(paths, number):
    """Files of the pages of one step, in order."""
    folder = os.path.join(ORDER["folder"], "pages")
    os.makedirs(folder, exist_ok=True)
    files = [os.path.join(folder, f"{number:04}-{place:04}.json.gz") for place in range(len(paths))]

    def store(path, file):
        with open(file, "wb") as out:
            out.write(fetch(path))

    with ThreadPoolExecutor(ORDER["concurrency"]) as pool:
        list(pool.map(store, paths, files))
    return files


def report(**figures):
    """Prints the figures, and writes user and system time with that of ended children, and the largest resident memory."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    cpu = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    with open(os.environ["EDRLAKE_BENCH_USAGE"], "w") as file:
        json.dump({"cpuSeconds": cpu, "peakBytes": own.ru_maxrss * 1024}, file)
    print(json.dumps(figures))
