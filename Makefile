# Short names for what CONTRIBUTING.md describes. Nothing here is needed to build.

.PHONY: all test race lint fuzz demo ci bench soak

all: lint test

test: ## what the README promises: nothing to install, loopback only
	go test ./...

race: ## needs a C compiler
	go test -race -shuffle=on ./...

lint:
	.ci/run format vet lint tidy

fuzz: ## FUZZTIME for each fuzz target, 30s by default
	FUZZTIME=$(or $(FUZZTIME),30s) .ci/run fuzz

demo:
	go run ./cmd/meshnode demo

ci:
	.ci/run

bench:
	go test -run '^$$' -bench . -benchmem ./...

# The simulation, with twice as many seeds each time, until a seed fails or it is stopped.
soak:
	n=1000; while go test ./testenv/simulation -run TestEveryPromiseIsKept -count 1 -timeout 0 -v -seeds $$n; do n=$$((2 * n)); done
