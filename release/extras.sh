#!/bin/sh
# Makes what archives and packages have besides the programs, in release/extras: completions for shells, of
# what the tool prints, and manual pages, of what the programs say with --help. A page is dated like the commit.
set -eu
cd "$(dirname "$0")/.."
extras=$PWD/release/extras
rm -rf "$extras"
mkdir -p "$extras/completions" "$extras/man"
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

go -C cmd/udsgrpc build -o "$extras/udsgrpc" .
"$extras/udsgrpc" completion bash >"$extras/completions/udsgrpc.bash"
"$extras/udsgrpc" completion zsh >"$extras/completions/_udsgrpc"
"$extras/udsgrpc" completion fish >"$extras/completions/udsgrpc.fish"
rm "$extras/udsgrpc"

for program in udsgrpc protoc-gen-go-udsgrpc; do
	go -C "cmd/$program" test . -count=1 -run TestManual -man "$extras/man"
done
# Packages have them compressed, without a time in it.
mkdir "$extras/man.gz"
for page in "$extras"/man/*.1; do
	gzip -9 -n <"$page" >"$extras/man.gz/$(basename "$page").gz"
done
