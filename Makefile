# `make run` starts the server, `make test` runs every test. Both need Go; the
# tests need Node besides, and install the rest themselves on Debian.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

TOOL    := go tool -modfile=internal/tools/go.mod
BUILD   := build
RESULTS := $(BUILD)/test-results
REPORT  := $(BUILD)/report
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
ENGINE  ?= docker
FUZZTIME ?= 30s

# What joins the nodes of the clusters that the conformance tests run against.
ENGINES := redis redis-cluster nats embedded

# The steps of `make test`, cheap ones first. One that fails does not stop the
# others; the summary names them all.
STEPS := build format vet tidy lint links noembedded unit examples bench protocol conformance-redis conformance-redis-cluster conformance-nats conformance-embedded e2e

# Faults strike clusters while nothing else runs, as leases are short: `make faults`.
UNIT   = $(shell go list ./... | grep -v '/test/cluster$$')
RACING := $(BUILD)/pipesocketd-race

empty :=
space := $(empty) $(empty)
comma := ,
EXPECT := $(subst $(space),$(comma),$(STEPS))

.PHONY: help
help: ## Show the targets.
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | expand -t 16

.PHONY: run
run: ## Start the server; ARGS="--listen 0.0.0.0:6001" passes flags.
	@go run ./cmd/pipesocketd $(ARGS)

.PHONY: test
test: deps report ## Run everything: lint, unit, race, fuzz seeds, conformance, end to end.
	@rm -rf $(RESULTS)
	@trap 'exit 130' INT TERM; \
	for step in $(STEPS); do $(MAKE) --no-print-directory step-$$step || true; done; \
	$(REPORT) summary -dir $(RESULTS) -expect $(EXPECT)

# The last line of .ci/run.
.PHONY: test-total
test-total:
	@$(REPORT) total -dir $(RESULTS) -expect $(EXPECT)

.PHONY: check
check: lint unit protocol ## What to run before a commit: formats, linters, unit tests, coverage of the protocol.

.PHONY: deps
deps:
	@.ci/deps

.PHONY: report
report:
	@go build -buildvcs=false -o $(REPORT) ./test/report

STEP = $(REPORT) step -dir $(RESULTS) -name $(@:step-%=%)

.PHONY: $(STEPS:%=step-%)
step-build:
	@$(STEP) -- go build -buildvcs=false ./...
step-format:
	@$(STEP) -- $(TOOL) golangci-lint fmt --diff
step-vet:
	@$(STEP) -- go vet ./...
step-tidy:
	@$(STEP) -- sh -c 'go mod tidy -diff && go -C examples/webhook-receiver mod tidy -diff'
step-lint:
	@$(STEP) -- $(TOOL) golangci-lint run
step-links:
	@$(STEP) -- .ci/links
step-noembedded:
	@$(STEP) -- .ci/noembedded
step-unit:
	@$(STEP) -kind go -- go test -race -timeout 10m -json $(UNIT)
step-examples: # modules of their own
	@$(STEP) -kind go -- go -C examples/webhook-receiver test -race -timeout 5m -json ./...
step-bench:
	@$(STEP) -- go test -run '^TestAllocations$$' -bench . -benchtime 1x ./... # gates that the race detector would change
step-protocol:
	@$(STEP) -- go run ./test/pcoverage -check
$(ENGINES:%=step-conformance-%): step-conformance-%: $(RACING)
	@$(STEP) -kind go -- env PIPESOCKETD_BINARY=$(abspath $(RACING)) PIPESOCKETD_CONFORMANCE_ENGINE=$* \
		go test -timeout 10m -json ./test/conformance
step-e2e:
	@$(STEP) -kind node -- test/e2e/run.sh

.PHONY: $(RACING) # the go command knows what is new
$(RACING):
	@mkdir -p $(BUILD)
	@go build -race -buildvcs=false -o $@ ./cmd/pipesocketd

.PHONY: lint
lint: ## Check formats, linters, vet, tidiness and the linked code.
	@$(TOOL) golangci-lint fmt --diff
	@go vet ./...
	@go mod tidy -diff
	@$(TOOL) golangci-lint run
	@.ci/links

.PHONY: format
format: ## Rewrite files as gofumpt and gci want them.
	@$(TOOL) golangci-lint fmt

.PHONY: unit
unit: ## Run the Go tests with the race detector; conformance is among them.
	@go test -race -timeout 10m $(UNIT)

.PHONY: conformance
conformance: $(RACING) ## The conformance tests against clusters of three nodes; ENGINES="redis nats" for some engines only.
	@status=0; for engine in $(ENGINES); do \
		PIPESOCKETD_BINARY=$(abspath $(RACING)) PIPESOCKETD_CONFORMANCE_ENGINE=$$engine go test -count=1 -timeout 10m ./test/conformance || status=1; \
	done; exit $$status

.PHONY: faults
faults: $(RACING) ## Break clusters in every way; ARGS="-run TestRedis" for some, FAULTS=long for as long as in life.
	@PIPESOCKETD_FAULTS=$(FAULTS) PIPESOCKETD_BINARY=$(abspath $(RACING)) go test -count=1 -v -timeout 3h ./test/cluster $(ARGS)

.PHONY: protocol
protocol: ## Check that every numbered statement of docs/protocol.md has a test.
	@go run ./test/pcoverage -check

.PHONY: protocol-table
protocol-table: ## Rewrite docs/protocol-coverage.md.
	@go run ./test/pcoverage -write docs/protocol-coverage.md >/dev/null

.PHONY: e2e
e2e: ## Run the built server against real client libraries.
	@test/e2e/run.sh

.PHONY: e2e-more
e2e-more: ## The same with libraries of further languages; needs Python and Java.
	@test/e2e/more/run.sh

.PHONY: chaos
KILLS  ?= 50
OUTAGE ?= 10m
chaos: ## Kill the server KILLS (50) times and take receivers down for OUTAGE (10m), under load: no committed webhook is lost.
	@PIPESOCKETD_CHAOS_KILLS=$(KILLS) PIPESOCKETD_CHAOS_OUTAGE=$(OUTAGE) go test -count=1 -v -timeout 60m ./test/chaos

.PHONY: fuzz
fuzz: ## Fuzz every target for FUZZTIME (30s).
	@.ci/fuzz $(FUZZTIME)

.PHONY: bench
bench: ## Run the benchmarks ten times, as benchstat wants them, into build/bench.txt.
	@mkdir -p $(BUILD)
	@go test -run '^$$' -bench . -count 10 ./... | tee $(BUILD)/bench.txt
	@$(TOOL) benchstat $(BUILD)/bench.txt

# The packages that every message goes through.
HOT       ?= ./internal/strictjson ./internal/protocol ./internal/auth ./internal/hub ./internal/session ./internal/ws ./internal/httpapi
BENCHTIME ?= 100ms

.PHONY: benchstat
benchstat: ## Benchmark the hot packages six times, briefly; BASE=FILE compares with a copy of an earlier build/benchstat.txt.
	@mkdir -p $(BUILD)
	@go test -run '^$$' -bench . -benchtime $(BENCHTIME) -count 6 $(HOT) | tee $(BUILD)/benchstat.txt.new >&2
	@mv $(BUILD)/benchstat.txt.new $(BUILD)/benchstat.txt
	@$(TOOL) benchstat $(BASE) $(BUILD)/benchstat.txt

.PHONY: growth
growth: ## Measure how cost grows with work and draw docs/plots; ARGS=-quick for less, ARGS=-draw to draw only.
	@go run ./test/growth $(ARGS)

.PHONY: vulncheck
vulncheck: ## Look for known vulnerabilities; needs its database online.
	@$(TOOL) govulncheck ./...

.PHONY: cover
cover: ## Measure test coverage into build/cover.html.
	@mkdir -p $(BUILD)
	@go test -coverpkg=./internal/...,./cmd/... -coverprofile=$(BUILD)/cover.out ./...
	@go tool cover -html=$(BUILD)/cover.out -o $(BUILD)/cover.html
	@go tool cover -func=$(BUILD)/cover.out | tail -1

.PHONY: binary
binary: ## Build build/pipesocketd as the image does.
	@CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o $(BUILD)/pipesocketd ./cmd/pipesocketd

.PHONY: image
image: ## Build the container image; ENGINE=podman for another engine.
	@$(ENGINE) build --build-arg VERSION=$(VERSION) --tag pipesocketd:$(VERSION) .

.PHONY: clean
clean: ## Remove what the other targets built.
	@rm -rf $(BUILD)
