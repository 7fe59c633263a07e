#!/bin/sh
# Installs what the matrix needs from Debian, npm, PyPI and Maven:
#
#	sh install.sh          # for all rows
#	sh install.sh short    # for those of go test -short
#
# The Go programs need no installing: the tests build them as tools/*.mod pin them.
set -eu
cd "$(dirname "$0")"

packages='nginx socat curl'
[ "${1:-}" = short ] || packages="$packages haproxy systemd python3-grpcio python3-protobuf
	g++ pkg-config protobuf-compiler libprotobuf-dev protobuf-compiler-grpc libgrpc++-dev"
# Another node than Debian's will do.
command -v npm >/dev/null || packages="$packages nodejs npm"
command -v mvn >/dev/null || packages="$packages maven"
command -v javac >/dev/null || packages="$packages default-jdk-headless"
python3 -c 'import ensurepip' 2>/dev/null || packages="$packages python3-venv"

missing=
for package in $packages; do
	dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
	sudo=
	[ "$(id -u)" -eq 0 ] || sudo=sudo
	$sudo apt-get update -q
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
fi

# What is not of Debian, and what is compiled, stays here for other clones, too.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/udsgrpc-interop
mkdir -p "$cache"

if ! cmp -s python/requirements.txt "$cache/python/.installed"; then
	python3 -m venv --clear "$cache/python"
	"$cache/python/bin/pip" install --quiet --require-hashes -r python/requirements.txt
	cp python/requirements.txt "$cache/python/.installed"
fi

if ! cmp -s java/pom.xml "$cache/java/.installed"; then
	rm -rf "$cache/java"
	machine=$(uname -m)
	[ "$machine" = aarch64 ] && machine=aarch_64
	mvn --quiet --batch-mode --file java/pom.xml dependency:copy-dependencies -DincludeScope=runtime \
		-DoutputDirectory="$cache/java" -Dprotoc.system="linux-$machine"
	chmod +x "$cache"/java/protoc-*.exe
	cp java/pom.xml "$cache/java/.installed"
fi

# Debian's Rust is too old. The test compiles what is in rust/.
command -v cargo >/dev/null || echo 'There is no cargo: install Rust 1.88 or newer with rustup for the rows of tonic.' >&2

# npm ci starts anew each time, so only when something has changed.
if ! cmp -s js/package-lock.json js/node_modules/.installed; then
	(cd js && npm ci --ignore-scripts)
	cp js/package-lock.json js/node_modules/.installed
fi
