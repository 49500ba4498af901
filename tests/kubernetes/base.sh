#!/usr/bin/env bash
# Make the root file system of a small Debian with Python, once, into the user's cache folder: it is the base of the
# images in these tests, because no registry of images can be reached. `tests/kubernetes/base.sh` prints its path (a tar
# file). Needs root and debootstrap; the packages come from where this machine's own do.
set -euo pipefail

cache="${XDG_CACHE_HOME:-$HOME/.cache}/parley/kubernetes"
base="$cache/base.tar"
if [ ! -s "$base" ]; then
    command -v debootstrap >/dev/null || { echo "This needs debootstrap (apt install debootstrap)." >&2; exit 1; }
    echo "Making the base of the images, once for this machine, in $cache ..." >&2
    mirror=$(sed -nE 's/^(deb +(\[.*\] +)?|URIs: *)(https?:[^ ]+).*/\3/p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -1 || true)
    root=$(mktemp -d)
    trap 'rm -rf "$root"' EXIT
    libraries=libstdc++6,libgomp1,libsqlite3-0,libffi8,libreadline8,libbz2-1.0,liblzma5,libssl3
    debootstrap --variant=minbase --include="python3,ca-certificates,$libraries" bookworm "$root" "$mirror" >&2
    ln -s python3 "$root/usr/bin/python"
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/doc "$root"/usr/share/locale
    chmod 755 "$root" "$root/root" # users of Pods read what is there and below
    mkdir -p "$cache"
    tar -C "$root" -cf "$base.new" --exclude=./dev/* .
    mv "$base.new" "$base"
fi
echo "$base"
