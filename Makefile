# Go and make are all that 'make demo' and 'make test' need; Go fetches the rest. The tests in
# thirdparty and docs are never answered from the cache, which cannot know that the plugin changed.

GO  ?= go
BUF  = $(GO) tool -modfile=tools/buf.mod buf

.PHONY: demo test test386 fuzz generate lint vet bench interop snapshot

demo: ## from a .proto to two processes that talk
	@$(GO) run ./examples/greeter/demo

# Modules of their own, so that nobody who uses this project gets what they need.
MODULES = thirdparty bench interop examples/more docs release

test: ## all tests but those of interop, with the race detector where it is supported
	$(GO) test $(RACE) ./...
	$(if $(RACE),$(GO) test -run 'TestAllocations|TestHerd' ./runtime) # which the race detector would distort
	cd thirdparty && $(GO) test -count=1 $(RACE) ./...
	cd bench && $(GO) test ./...
	cd examples/more && $(GO) test $(RACE) ./...
	cd docs && $(GO) test -count=1 $(RACE) ./...
	cd release && $(GO) test $(RACE) ./...

# The race detector needs cgo and so a C compiler, which a fresh machine may lack.
RACE := $(shell [ "$$($(GO) env CGO_ENABLED)" = 1 ] && command -v "$$($(GO) env CC)" >/dev/null && echo -race)

# What runs programs for 386 where the kernel does not, as in EXEC386='-exec qemu-i386'.
EXEC386 =

test386: ## the tests of what reads from the wire, where an int has 32 bits
	GOARCH=386 $(GO) test $(EXEC386) ./runtime/...

fuzz: ## every fuzz target, for FUZZTIME each (30s)
	.ci/fuzz

generate: ## everything that is generated
	$(BUF) generate
	$(GO) test ./generator -run Golden -update
	sh thirdparty/generate.sh
	sh bench/generate.sh

lint: ## static checks of Go and proto files
	$(GO) tool -modfile=tools/go.mod staticcheck ./...
	for m in $(MODULES); do (cd $$m && $(GO) tool -modfile=$(CURDIR)/tools/go.mod staticcheck ./...) || exit 1; done
	$(BUF) lint

vet: ## go vet, and compiling the tests, for every system and for 386; only Linux is ever run
	for os in linux darwin windows freebsd; do \
		GOOS=$$os $(GO) vet ./... && GOOS=$$os $(GO) test -c -o /dev/null ./... || exit 1; \
	done
	GOARCH=386 $(GO) vet ./...
	for m in $(MODULES); do (cd $$m && $(GO) vet ./...) || exit 1; done
	cd examples/more && GOOS=windows $(GO) vet ./transport

bench: ## compare with other ways to call a process, or with AGAINST=REVISION of this project; QUICK=1 is short, ARGS="-only …" a part; only a whole run writes docs/benchmarks
	cd bench && $(GO) run . $(if $(QUICK),-quick) $(if $(AGAINST),-against '$(AGAINST)') $(ARGS)

interop: ## the clients, servers and bridges of docs/interop.md, installed and tried; SHORT=1 is quick and does not write it
	sh interop/install.sh $(if $(SHORT),short)
	cd interop && UDSGRPC_CI=1 $(GO) test -count=1 $(if $(SHORT),-short .,. -write ../docs/interop.md)

snapshot: ## the archives of a release, made twice and checked; nothing is published
	sh release/snapshot.sh
