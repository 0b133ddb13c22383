# make help lists the targets. Building, testing and the demo need Go and make
# alone; test-kafka needs Java 17 and Maven as well (make install-deps), or
# KAFKA_BROKERS, and test-desk Chromium and axe-core.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO          ?= go
CONFIG      ?= engage.yaml
PROMTOOL    ?= promtool
TESTFLAGS   ?=
FUZZTIME    ?= 20s
BENCH       ?= .
BENCHTIME   ?= 1s
BENCHCOUNT  ?= 1
BENCHPKGS   ?= ./...
BASE        ?= main
VERSION     ?=
# go tool, with the tools' own module
TOOL        := $(GO) tool -modfile=.ci/tools/go.mod

##@ For everybody

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} \
		/^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Everything in one process: broker, Twilio, events, the worker
	@$(GO) run ./cmd/engage-worker demo $(ARGS)

.PHONY: build
build: ## Build bin/engage-worker and bin/twilio-sim
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/ ./cmd/engage-worker ./cmd/twilio-sim

.PHONY: run
run: ## Run the worker with CONFIG=engage.yaml
	$(GO) run ./cmd/engage-worker run --config $(CONFIG)

##@ For engineers

.PHONY: test
test: ## All tests that need nothing but Go, with the race detector where there is anything to race
	$(GO) vet ./...
	$(GO) test -race $(TESTFLAGS) ./...
	$(GO) test $(TESTFLAGS) ./ratelimit

.PHONY: test-kafka
test-kafka: ## The integration suite on a real Apache Kafka 4.x; a skipped suite fails
	ENGAGE_TEST_BROKER=kafka $(GO) test -json -race -p=1 -count=1 -timeout=15m $(TESTFLAGS) \
		./test/kafka $$(test -d test/integration && echo ./test/integration/...) \
		| $(GO) run ./test/summary

.PHONY: test-desk
test-desk: ## The desk's pages in a real browser; a skipped test fails
	ENGAGE_TEST_BROWSER=1 $(GO) test -json -count=1 -timeout=10m -skip='^TestScreenshots$$' $(TESTFLAGS) ./test/desk | $(GO) run ./test/summary

.PHONY: screenshots
screenshots: ## The pictures of docs/desk.md, by Chromium, of the demo's made-up people
	@mkdir -p docs/desk
	DESK_SCREENSHOTS=$(CURDIR)/docs/desk ENGAGE_TEST_BROWSER=1 $(GO) test -count=1 -timeout=5m -run='^TestScreenshots$$' ./test/desk

.PHONY: kafka
kafka: ## Run a real Kafka until interrupted, without containers
	@$(GO) run ./test/kafka/serve

.PHONY: test-deploy
test-deploy: ## The alert rules by promtool, manifests and dashboard by Kubernetes' and Grafana's types
	cd deploy/prometheus && $(PROMTOOL) check config prometheus.yml && $(PROMTOOL) test rules rules_test.yml
	cd test/deploy && $(GO) vet ./... && $(GO) test -count=1 $(TESTFLAGS) ./...

.PHONY: rules
rules: ## The PrometheusRule from rules.yml; RUNBOOKS=URL says where docs/operations.md is published
	touch deploy/prometheus/prometheusrule.yaml
	$(GO) test ./deploy -count=1 -run TestPrometheusRule -args -write -runbooks '$(RUNBOOKS)'

.PHONY: lint
lint: ## golangci-lint with the rules of .golangci.yml, and no dead code
	$(TOOL) golangci-lint run
	@dead=$$($(TOOL) deadcode -test ./...); \
		if [ -n "$$dead" ]; then echo "nobody calls these:"; echo "$$dead"; exit 1; fi

.PHONY: bench
bench: ## The benchmarks that BENCH matches, into dist/bench-COMMIT.txt, which benchstat reads
	@mkdir -p dist
	$(GO) test -run='^$$' -bench='$(BENCH)' -benchmem -benchtime=$(BENCHTIME) -count=$(BENCHCOUNT) $(BENCHPKGS) \
		| tee dist/bench-$$(git describe --always --dirty --exclude '*').txt

.PHONY: bench-compare
bench-compare: ## Compare the benchmarks with those of BASE=main, in BENCHCOUNT=6 turns
	@GO='$(GO)' BENCH='$(BENCH)' BENCHTIME='$(BENCHTIME)' BENCHCOUNT='$(if $(filter 1,$(BENCHCOUNT)),6,$(BENCHCOUNT))' \
		BENCHPKGS='$(BENCHPKGS)' ./.ci/bench-compare $(BASE)

.PHONY: fuzz
fuzz: ## Every fuzz target for FUZZTIME=20s
	@grep -rlE '^func Fuzz' --include='*_test.go' . | while read -r file; do \
		sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$$file" | while read -r target; do \
			echo "== $$(dirname "$$file") $$target"; \
			$(GO) test -run='^$$' -fuzz="^$$target\$$" -fuzztime=$(FUZZTIME) "$$(dirname "$$file")" </dev/null; \
		done; \
	done

.PHONY: chaos
chaos: ## Kill, freeze and cut off replicas under load; ARGS=--help tells the options
	$(GO) run ./test/chaos $(ARGS)

.PHONY: chaos-short
chaos-short: ## The short form of chaos, within 90 s
	$(GO) run ./test/chaos --short $(ARGS)

.PHONY: scale
scale: ## What a fleet asks of Kafka and its machines as it grows; ARGS=--help tells the options
	@$(GO) run ./test/scale $(ARGS)

.PHONY: fmt
fmt: ## gofmt all Go files
	gofmt -w $$(git ls-files '*.go')

.PHONY: vulnerabilities
vulnerabilities: ## Known vulnerabilities that the code reaches; asks vuln.go.dev
	$(TOOL) govulncheck ./...

.PHONY: licences
licences: ## Print the licences of all that is compiled in
	@GO='$(GO)' ./.ci/licences

.PHONY: release
release: ## Programs for Linux and macOS, their parts, licences and sums, into dist/VERSION
	@GO='$(GO)' ./.ci/release $(VERSION)

.PHONY: install-deps
install-deps: ## Install what test-kafka, test-desk and test-deploy need (Debian or Ubuntu, as root)
	./.ci/install-deps

.PHONY: clean
clean: ## Remove what was built or fetched
	rm -rf bin dist coverage.out test/kafka/target test/desk/node_modules
