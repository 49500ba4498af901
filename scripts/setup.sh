#!/bin/sh
# Make .venv with exactly what a lock file names: `scripts/setup.sh run` or `scripts/setup.sh dev`.
# Needs a Python 3.11 or 3.12 and nothing else; quick when there is nothing to do.
set -eu
cd "$(dirname "$0")/.."
kind=${1:?usage: setup.sh run|dev}
case $kind in
    run) lock=requirements.lock ;;
    dev) lock=requirements-dev.lock ;;
    *) echo "usage: setup.sh run|dev" >&2; exit 2 ;;
esac
stamp=.venv/.parley-installed

say() { printf '%s\n' "$*" >&2; }

fits() {  # a name on PATH may be a version manager's shim that only fails, so it is run
    "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

find_python() {  # 3.13 last: it works, but has to find a Redis server on the machine
    for candidate in "${PYTHON:-}" \
        python3.11 "${PYENV_ROOT:-${HOME:-/nonexistent}/.pyenv}"/versions/3.11*/bin/python \
        python3.12 "${PYENV_ROOT:-${HOME:-/nonexistent}/.pyenv}"/versions/3.12*/bin/python \
        python3 python3.13; do
        if [ -n "$candidate" ] && fits "$candidate"; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    say "Parley needs Python 3.11 or 3.12 with its venv module, and none was found."
    say "On Debian or Ubuntu: apt install python3 python3-venv. Elsewhere: PYTHON=/path/to/python3.11 make run"
    exit 1
}

digest() {  # of a lock and of the machine it is installed for
    .venv/bin/python -c '
import hashlib, pathlib, platform, sys
print(hashlib.sha256(pathlib.Path(sys.argv[1]).read_bytes() + platform.platform().encode()).hexdigest())' "$1"
}

make_uv() {  # the version that the lock names, checked by its hash
    if [ -x .boot/bin/python ] && .boot/bin/python -m uv --version >/dev/null 2>&1; then return; fi
    python=$(find_python)
    say "Preparing the installer (uv, with $python) ..."
    rm -rf .boot
    "$python" -m venv .boot
    awk '/^[a-z]/ { wanted = /^uv==/ } wanted' requirements.lock >.boot/uv.txt
    .boot/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .boot/uv.txt
}

if [ -x .venv/bin/python ] && .venv/bin/python -c '' 2>/dev/null; then
    if grep -qsx "$kind $(digest $lock)" $stamp; then exit 0; fi
else
    rm -rf .venv
fi

make_uv
if [ ! -x .venv/bin/python ]; then
    .boot/bin/python -m uv venv --quiet --python .boot/bin/python .venv
fi
say "Installing what $lock names ..."
rm -f $stamp
.boot/bin/python -m uv pip sync --python .venv/bin/python --require-hashes $lock
# The development lock holds all of the other one.
echo "run $(digest requirements.lock)" >$stamp
if [ "$kind" = dev ]; then echo "dev $(digest requirements-dev.lock)" >>$stamp; fi
