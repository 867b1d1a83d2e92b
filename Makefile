# Short names for what CONTRIBUTING.md describes. Nothing here is needed to build.

.PHONY: all test race lint fuzz demo ci bench bench-baseline soak mutants

all: lint test

test: ## what the README promises: nothing to install, loopback only
	go test ./...

race: ## needs a C compiler
	go test -race -shuffle=on ./...

lint:
	.ci/run format vet lint tidy

fuzz: ## FUZZTIME for each fuzz target, 500000x by default
	FUZZTIME=$(or $(FUZZTIME),500000x) .ci/run fuzz

demo:
	go run ./cmd/meshnode demo

ci:
	.ci/run

# Packages with benchmarks that are compared, and how often and long each runs.
BENCH = ./hashing ./loader ./internal/... ./mesh ./node
BENCHFLAGS = -run '^$$' -bench '$(or $(ONLY),.)' -benchmem -count 6 -benchtime $(or $(BENCHTIME),100ms) -timeout 10m

bench: ## against benchmarks/baseline.txt, under five minutes; ONLY=RemoteGet for some
	go test $(BENCHFLAGS) $(BENCH) >bench.out || { cat bench.out; exit 1; }
	go -C benchmarks tool benchstat baseline.txt ../bench.out

bench-baseline: ## renews it: on the machine to compare on, before a change
	go test $(BENCHFLAGS) $(BENCH) >bench.out || { cat bench.out; exit 1; }
	grep -v '^ok\|^PASS\|no test files' bench.out >benchmarks/baseline.txt

soak: ## the simulation on ever new seeds until one fails or it is stopped; SEED to begin elsewhere
	go test ./testenv/simulation -run TestSoak -count 1 -timeout 0 -v -soak 8760h -seed $(or $(SEED),1000)

mutants: ## each must be caught by the roster's tests or the simulation; 10 to 20 minutes
	go test ./internal/roster -run TestMutants -count 1 -timeout 30m -v -mutants
