# Sourced by each script here: the temporary folder, pinned packages in it, and the verdict.
#
# A finding installs its packages, states what one would expect, runs the real software and gives the
# output to verdict. Exit status: 0 the surprise is still seen, 1 the behaviour has changed, 2 something
# that the script needs cannot be installed or is not there.
set -euo pipefail

finding=$(basename "$0" .sh)
work=$(mktemp -d)
children=() # processes to end at the end

finish() {
	local pid
	for pid in "${children[@]}"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	rm -rf "$work"
}
trap finish EXIT

# unavailable REASON ends the script: the surprise can be neither seen nor denied here.
unavailable() {
	echo "$finding: cannot run: $1" >&2
	exit 2
}

# need PROGRAM... ends the script when a program is not installed.
need() {
	local program
	for program in "$@"; do
		command -v "$program" >/dev/null || unavailable "$program is not installed"
	done
}

# quietly COMMAND... shows what the command printed only when it fails.
quietly() {
	"$@" >"$work/quiet" 2>&1 || { cat "$work/quiet" >&2; return 1; }
}

# go_program [MODULE@VERSION...] reads a main.go from standard input and builds $work/probe.
go_program() {
	need go
	mkdir -p "$work/go"
	cat >"$work/go/main.go"
	cd "$work/go"
	quietly go mod init finding
	local modules=
	if [ $# -gt 0 ]; then
		quietly go get "$@" || unavailable "go get $*"
		quietly go get . || unavailable "go get ."
		modules="$(go list -m "${@%@*}" | tr '\n' ',') "
	fi
	quietly go build -o "$work/probe" . || unavailable "the program does not build with $*"
	cd "$work"
	echo "versions: $modules$(go env GOVERSION), Linux $(uname -r)"
}

# python_packages PACKAGE==VERSION... installs into a virtual environment; its python is $work/venv/bin/python.
python_packages() {
	need python3
	quietly python3 -m venv "$work/venv" || unavailable "python3 -m venv"
	quietly "$work/venv/bin/pip" install --disable-pip-version-check "$@" || unavailable "pip install $*"
	echo "versions: $*, $("$work/venv/bin/python" --version), Linux $(uname -r)"
}

# node_packages PACKAGE@VERSION... installs into $work/node, where a script must be to require them.
node_packages() {
	need node npm
	mkdir -p "$work/node"
	cd "$work/node"
	quietly npm install --no-save --no-audit --no-fund --ignore-scripts "$@" || unavailable "npm install $*"
	cd "$work"
	echo "versions: $*, node $(node --version), Linux $(uname -r)"
}

# verdict EXPECTED REGEX OUTPUT prints both and ends the script: is REGEX, the surprise, in OUTPUT?
verdict() {
	echo "expected: $1"
	echo "seen:"
	while IFS= read -r line; do echo "    $line"; done <<<"$3"
	if grep -qE -- "$2" <<<"$3"; then
		echo "$finding: still so"
		exit 0
	fi
	echo "$finding: CHANGED: the lines above do not match: $2"
	exit 1
}
