"""`make bench`: every benchmark, one after the other, each in a process of its own."""

import subprocess
import sys

BENCHMARKS = ("bench.poll", "bench.download")


def main() -> int:
    return max(subprocess.run([sys.executable, "-m", name]).returncode for name in BENCHMARKS)


if __name__ == "__main__":
    sys.exit(main())
