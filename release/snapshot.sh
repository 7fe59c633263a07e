#!/bin/sh
# Makes the archives and packages of a release twice, each time in a fresh clone of the last commit, and checks
# them; nothing is published. The first run builds goreleaser, which takes minutes. What the packages have is
# checked by the tests.
set -eu
cd "$(dirname "$0")/.."

fail() {
	echo "release/snapshot.sh: $*" >&2
	exit 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
goreleaser=$(go tool -n -modfile=tools/goreleaser.mod goreleaser)

# goreleaser runs with a module cache of its own, where Go notes what the tags of the clones are.
# In the user's it would take them for the true ones later.
goreleaser() {
	GOMODCACHE=$work/modules GOFLAGS=-modcacherw \
		GOPROXY=file://$(go env GOMODCACHE)/cache/download,$(go env GOPROXY) "$goreleaser" "$@"
}

# make_archives DIR TAG: the clone is tagged, as a release is, for all modules.
make_archives() {
	rm -rf "$1"
	git clone --quiet . "$1"
	git -C "$1" tag --force "$2" >/dev/null
	git -C "$1" tag --force "cmd/udsgrpc/$2" >/dev/null
	git -C "$1" tag --force "udsprometheus/$2" >/dev/null
	(cd "$1" && GORELEASER_CURRENT_TAG=$2 goreleaser release --clean --skip=publish,announce)
}

program=$(go run ./cmd/protoc-gen-go-udsgrpc --version)
version=${program##* }
make_archives "$work/first" "$version"
(cd "$work/first" && goreleaser check)
make_archives "$work/second" "$version"

dist=$work/first/release/dist
cmp "$dist/checksums.txt" "$work/second/release/dist/checksums.txt" ||
	fail 'two builds of one commit differ'
(cd "$dist" && sha256sum --quiet --check checksums.txt)

for os in linux darwin windows freebsd; do
	for arch in amd64 arm64; do
		archive=$dist/udsgrpc_${version#v}_${os}_$arch
		case $os in
		windows) files=$(unzip -Z1 "$archive.zip") exe=.exe ;;
		*) files=$(tar -tzf "$archive.tar.gz") exe= ;;
		esac
		for want in LICENSE README.md protoc-gen-go-udsgrpc$exe udsgrpc$exe \
			completions/udsgrpc.bash completions/_udsgrpc completions/udsgrpc.fish \
			man/udsgrpc.1 man/udsgrpc-call.1 man/protoc-gen-go-udsgrpc.1; do
			echo "$files" | grep -Fqx "$want" || fail "$archive lacks $want"
		done
	done
done

mkdir "$work/unpacked"
tar -xzf "$dist/udsgrpc_${version#v}_$(go env GOHOSTOS)_$(go env GOHOSTARCH).tar.gz" -C "$work/unpacked"
[ "$("$work/unpacked/protoc-gen-go-udsgrpc" --version)" = "$program" ] ||
	fail 'the plugin in the archive is of another version'
[ "$("$work/unpacked/udsgrpc" --version)" = "udsgrpc $version" ] ||
	fail 'the tool in the archive is of another version'
# A clone with changes would be stamped as such.
stamped() {
	go version -m "$work/unpacked/$1" | grep -Eq "mod[[:space:]]+$2[[:space:]]+$version[[:space:]]*$" ||
		fail "$1 is not stamped as $2 $version: $(go version -m "$work/unpacked/$1")"
}
stamped protoc-gen-go-udsgrpc github.com/udsgrpc/udsgrpc
stamped udsgrpc github.com/udsgrpc/udsgrpc/cmd/udsgrpc

if make_archives "$work/wrong" v0.0.1 >"$work/log" 2>&1; then
	fail 'the tag v0.0.1 makes a release of '"$version"
fi
grep -Fq 'hook' "$work/log" || fail "the tag v0.0.1 fails for another reason: $(cat "$work/log")"

cat "$dist/checksums.txt"
