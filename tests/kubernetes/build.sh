#!/usr/bin/env bash
# Build a real Kubernetes, etcd and Helm from their Go modules, once for each version, into the user's cache folder:
# `tests/kubernetes/build.sh` prints the folder of the programs. Takes about ten minutes on two cores the first time
# (it says so); what was built stays, and what was interrupted goes on where it was. Needs Go.
set -euo pipefail

kubernetes=1.31.4
etcd=3.5.21
helm=3.19.2
programs="kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl"
place="${XDG_CACHE_HOME:-$HOME/.cache}/parley/kubernetes/$kubernetes"
mkdir -p "$place"

say() { echo "$*" >&2; }

module() { GOFLAGS=-mod=mod go mod download -json "$1" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p'; }

# The module's own go.mod points into a folder that the published module does not have.
go_mod() {
    local found=$1 version=v0.${kubernetes#1.}
    sed -E "s#=> \./staging/src/(k8s\.io/[^ ]+)#=> \1 $version#; s#^(\s+k8s\.io/[^ ]+) v0\.0\.0( |$)#\1 $version\2#" "$found/go.mod" >"$place/go.mod"
    cp "$found/go.sum" "$place/go.sum"
    chmod u+w "$place/go.mod" "$place/go.sum"
}

# All that are missing at once: they share most of what is compiled.
build_kubernetes() {
    local found
    found=$(module "k8s.io/kubernetes@v$kubernetes")
    go_mod "$found"
    mkdir -p "$place/new"
    cd "$found"
    GOWORK=off GOFLAGS=-mod=mod CGO_ENABLED=0 go build -modfile="$place/go.mod" -buildvcs=false -ldflags "-s -w" \
        -o "$place/new/" "${@/#/./cmd/}"
    for program in "$@"; do mv "$place/new/$program" "$place/$program"; done
}

build_etcd() {
    local folder
    folder=$(mktemp -d)
    cat >"$folder/main.go" <<'GO'
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
GO
    cd "$folder"
    go mod init etcd >/dev/null 2>&1
    go get "go.etcd.io/etcd/server/v3@v$etcd" >/dev/null 2>&1
    CGO_ENABLED=0 GOFLAGS=-mod=mod go build -ldflags "-s -w" -o "$place/etcd.new" .
    mv "$place/etcd.new" "$place/etcd"
    rm -rf "$folder"
}

build_helm() {
    GOBIN="$place/new" CGO_ENABLED=0 GOFLAGS=-mod=mod go install -ldflags "-s -w" "helm.sh/helm/v3/cmd/helm@v$helm"
    mv "$place/new/helm" "$place/helm"
}

missing() { for program in "$@"; do [ -x "$place/$program" ] || echo "$program"; done; }

mapfile -t wanted < <(missing etcd helm $programs)
if [ ${#wanted[@]} != 0 ]; then
    command -v go >/dev/null || { say "Building Kubernetes needs Go (on Debian: apt install golang-go)."; exit 1; }
    say "Building ${wanted[*]}, once for this machine, into $place ..."
fi
[ -x "$place/etcd" ] || (build_etcd)
mapfile -t wanted < <(missing $programs)
[ ${#wanted[@]} = 0 ] || (build_kubernetes "${wanted[@]}")
[ -x "$place/helm" ] || (build_helm)
rm -rf "$place/new"
echo "$place"
