"""`python -m bench [NAME …]`: the named benchmarks, or all of them, and one table of what they found.

Each runs in a process of its own with servers of its own under a temporary folder; nothing of yours is touched.
"""

import argparse
import os
import sys

from bench import alone
from bench.rows import NotRun, Row, table

BENCHMARKS = {
    "poll": "a poll that brings nothing new, against a constant view; and while 50 clients download slowly",
    "download": "a model's archive, against nginx",
    "api_upload": "a model uploaded as a form by curl, against curl to nginx",
    "api_lists": "pages of a list of 10,000 models by the API, against the SQL of the same page by hand",
    "ingest": "events taken from a real Kafka topic and stored, against a bare COPY of the same rows",
    "finding": "the list of conversations, each filter and search, among ever more of them",
    "chat": "a message through Talk, against the same straight to Rasa",
    "slots": "a model tried in a slot, against `rasa run` by hand; and 1, 10 and 50 who talk to it at once",
    "guests": "200 guests on one share link, against asking a server with a fixed delay directly",
    "reading": "the page of a conversation of 20 and of 5,000 events, and what leads to the next one",
    "pages": "every page that links lead to, in an installation that `make demo` filled",
    "access": "what permissions cost a page that lists 100 rows, against reading the rows",
    "analytics": "numbers of the analytics page, against one aggregate by hand over the same events",
    "training": "a training through the queue, against bare `rasa train`",
    "training_beside_chat": "a live server's answers while a training runs on the same machine, against none",
    "promotion": "from Save to running, against a real Rasa's poll interval and load",
    "bucket": "models to and from a real S3 server, against boto3 alone",
    "export": "conversations as a file of JSON lines, against a COPY of the same rows",
    "sign_in": "a sign-in through a real Keycloak, against the same round trip without Parley",
    "cli": "`parley --help` against a Python that does nothing; `parley upload` of 1 GB against curl to nginx",
    "clone": "from a fresh clone to a talking assistant, by step",
}


def main() -> int:
    names = _names()
    rows: list[Row] = []
    left_out: list[str] = []
    for name in names:
        print(f"\n{name}: {BENCHMARKS[name]}", flush=True)
        try:
            rows += alone.run(name)
        except NotRun as why:
            left_out.append(f"{name} was not run: {why}")
    print(f"\nMeasured on your machine ({os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} now):\n")
    print(table(rows))
    left_out += [f"{name} was not run: it was not asked for." for name in BENCHMARKS if name not in names]
    print("".join(f"\n{line}" for line in left_out))
    return 0


def _names() -> list[str]:
    lines = "\n".join(f"  {name:<10} {what}" for name, what in BENCHMARKS.items())
    parser = argparse.ArgumentParser(
        prog="python -m bench", epilog=lines, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--events", metavar="N", help="of ingest: how many are in the topic")
    parser.add_argument("--stored", metavar="N", help="of ingest: how many are stored before the last pass")
    parser.add_argument(
        "--conversations", metavar="N,N", help="of finding, analytics, export and pages: how many (of finding several)"
    )
    parser.add_argument("--models", metavar="N", help="of api_lists: how many")
    given = parser.parse_args()
    # To the benchmark's own process, past what it forgets of this installation.
    sizes = {key: getattr(given, key) for key in ("events", "stored", "conversations", "models")}
    os.environ |= {f"BENCH_{key.upper()}": size for key, size in sizes.items() if size}
    names = given.names
    if unknown := set(names) - set(BENCHMARKS):
        parser.error(f"there is no benchmark {min(unknown)}; choose from {', '.join(BENCHMARKS)}")
    return names or list(BENCHMARKS)


if __name__ == "__main__":
    sys.exit(main())
