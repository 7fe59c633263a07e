# Go and make are all that 'make demo' and 'make test' need; Go fetches the rest. The tests in
# thirdparty are never answered from the cache, which cannot know that the plugin changed.

GO  ?= go
BUF  = $(GO) tool -modfile=tools/buf.mod buf

.PHONY: demo test generate lint vet

demo: ## from a .proto to two processes that talk
	@$(GO) run ./examples/greeter/demo

test: ## all tests, with the race detector where it is supported
	$(GO) test $(RACE) ./...
	cd thirdparty && $(GO) test -count=1 $(RACE) ./...

# The race detector needs cgo and so a C compiler, which a fresh machine may lack.
RACE := $(shell [ "$$($(GO) env CGO_ENABLED)" = 1 ] && command -v "$$($(GO) env CC)" >/dev/null && echo -race)

generate: ## everything that is generated
	$(BUF) generate
	$(GO) test ./generator -run Golden -update
	sh thirdparty/generate.sh

lint: ## static checks of Go and proto files
	$(GO) tool -modfile=tools/go.mod staticcheck ./...
	cd thirdparty && $(GO) tool -modfile=../tools/go.mod staticcheck ./...
	$(BUF) lint

vet: ## go vet, and compiling the tests, for every system; only Linux is ever run
	for os in linux darwin windows freebsd; do \
		GOOS=$$os $(GO) vet ./... && GOOS=$$os $(GO) test -c -o /dev/null ./... || exit 1; \
	done
	cd thirdparty && $(GO) vet ./...
