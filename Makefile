# Go and make are all that 'make demo' and 'make test' need; Go fetches the rest. The tests in
# thirdparty and docs are never answered from the cache, which cannot know that the plugin changed.

GO  ?= go
BUF  = $(GO) tool -modfile=tools/buf.mod buf

.PHONY: help modules demo test test386 fuzz generate pictures lint vet bench interop snapshot

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: ## from a .proto to two processes that talk
	@$(GO) run ./examples/greeter/demo

# Modules of their own, so that nobody who uses this project gets what they need.
MODULES = cmd/udsgrpc udsprometheus thirdparty bench interop examples/more examples/migrate docs release tools/pictures

modules: ## the folders of all Go modules but that of the tools, one a line
	@printf '%s\n' . $(MODULES)

# CI sets it to .ci/test.
TEST = $(GO) test

# Each step of a test run begins with a line that says how long the run has taken so far.
step = @printf '== %3ds  %s\n' $$(( $$(date +%s) - $(STARTED) )) '$(1)'

# The race detector needs cgo and so a C compiler, which a fresh machine may lack.
RACE := $(shell [ "$$($(GO) env CGO_ENABLED)" = 1 ] && command -v "$$($(GO) env CC)" >/dev/null && echo -race)

test: STARTED := $(shell date +%s)
test: ## all tests but those of interop, with the race detector where it is supported
	@echo 'All tests take about ten minutes on two cores, and longer when nothing is cached yet.'
	$(call step,the module itself$(if $(RACE), with the race detector))
	$(TEST) $(RACE) ./...
ifneq ($(RACE),)
	$(call step,what the race detector would distort)
	$(TEST) -run 'TestAllocations|TestHerd|TestMemory|TestUnaryCall' ./runtime/load
endif
	$(call step,cmd/udsgrpc)
	cd cmd/udsgrpc && $(TEST) $(RACE) ./...
	$(call step,udsprometheus)
	cd udsprometheus && $(TEST) $(RACE) ./...
	$(call step,thirdparty)
	cd thirdparty && $(TEST) -count=1 $(RACE) ./...
	$(call step,bench)
	cd bench && $(TEST) ./...
	$(call step,examples/more)
	cd examples/more && $(TEST) $(RACE) ./...
	$(call step,examples/migrate)
	cd examples/migrate && $(TEST) ./...
	$(call step,docs)
	cd docs && $(TEST) -count=1 $(RACE) ./...
	$(call step,release)
	cd release && $(TEST) $(RACE) ./...
	$(call step,tools/pictures)
	cd tools/pictures && $(TEST) -count=1 ./...
	$(call step,all tests pass)

# What runs programs for 386 where the kernel does not, as in EXEC386='-exec qemu-i386'.
EXEC386 =

test386: ## the tests of what reads from the wire, where an int has 32 bits
	GOARCH=386 $(TEST) $(EXEC386) ./runtime/...

fuzz: ## every fuzz target, for FUZZTIME each (30s)
	.ci/fuzz

generate: ## everything that is generated
	$(BUF) generate
	$(GO) test ./generator -run Golden -update
	sh thirdparty/generate.sh
	sh bench/generate.sh
	sh examples/migrate/generate.sh

pictures: ## docs/pictures, of commands of the tool in a terminal
	$(GO) -C tools/pictures run .

# The linters are pinned in tools/go.mod. unparam finds parameters and results that are always the same.
# 'go fix -diff' fails when there is a newer and shorter way to write something; 'go fix ./...' writes it.
lint: ## static checks of Go and proto files
	for m in . $(MODULES); do (cd $$m && \
		$$($(LINTER) staticcheck) ./... && $$($(LINTER) unparam) ./... && $(GO) fix -diff ./...) || exit 1; done
	$(DEADCODE)
	cd cmd/udsgrpc && { $(DEADCODE); }
	$(BUF) lint

# The path of a linter, which then sees the tool as its go.work says. With that file Go takes no -modfile.
LINTER = GOWORK=off $(GO) tool -n -modfile=$(CURDIR)/tools/go.mod

# Functions of this module that no program and no test reaches, on the system where this runs. Left out:
# Examples, which 'go test' compiles and does not run unless they say what they print. Not seen: what only
# tests reach, as most of a library is for its users; and what is dead on other systems, where few tests
# run and files for all systems have functions that one of them needs.
DEADCODE = dead=$$($$($(LINTER) deadcode) -test ./...) || exit 1; \
	! printf '%s\n' "$$dead" | grep 'unreachable func' | grep -v '/example_[a-z_]*test\.go:'

vet: ## go vet, and compiling the tests, for every system and for 386; only Linux is ever run
	for m in . cmd/udsgrpc; do (cd $$m && \
		for os in linux darwin windows freebsd; do \
			GOOS=$$os $(GO) vet ./... && GOOS=$$os $(GO) test -c -o /dev/null ./... || exit 1; \
		done && GOARCH=386 $(GO) vet ./...) || exit 1; done
	for m in $(MODULES); do (cd $$m && $(GO) vet ./...) || exit 1; done
	cd examples/more && GOOS=windows $(GO) vet ./transport

bench: ## compare with other ways to call a process, or with AGAINST=REVISION of this project; QUICK=1 is short, ARGS="-only …" a part; only a whole run writes docs/benchmarks; LANGUAGES=1: clients in other languages instead
ifeq ($(LANGUAGES),)
	cd bench && $(GO) run . $(if $(QUICK),-quick) $(if $(AGAINST),-against '$(AGAINST)') $(ARGS)
else
	sh interop/install.sh short
	cd interop && $(GO) test -count=1 -timeout 30m -run TestSpeed -speed ../docs/benchmarks/languages.md .
endif

interop: ## the clients, servers and bridges of docs/interop.md, installed and tried; SHORT=1 is quick and does not write it
	sh interop/install.sh $(if $(SHORT),short)
	cd interop && UDSGRPC_CI=1 $(if $(SHORT),$(TEST) -count=1 -short .,$(GO) test -count=1 -timeout 60m . -write ../docs/interop.md)

snapshot: ## the archives of a release, made twice and checked; nothing is published
	sh release/snapshot.sh
