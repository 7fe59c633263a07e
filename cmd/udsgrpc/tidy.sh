#!/bin/sh
# "go mod tidy" for this module, with the arguments given. go.mod requires a version of this project that
# may not be released yet, and go mod tidy does not look at go.work: it gets a copy with a replace line.
set -eu
cd "$(dirname "$0")"
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
touch go.sum
cp go.mod go.sum "$copy"
go mod edit -replace "github.com/udsgrpc/udsgrpc=$(cd ../.. && pwd)" "$copy/go.mod"
go mod tidy -modfile="$copy/go.mod" "$@"
go mod edit -dropreplace github.com/udsgrpc/udsgrpc "$copy/go.mod"
cp "$copy/go.mod" "$copy/go.sum" .
