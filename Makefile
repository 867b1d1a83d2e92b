# Short names for what CONTRIBUTING.md describes. Nothing here is needed to build.

.PHONY: all test race lint fuzz demo ci bench soak mutants

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

bench:
	go test -run '^$$' -bench . -benchmem ./...

soak: ## the simulation on ever new seeds until one fails or it is stopped; SEED to begin elsewhere
	go test ./testenv/simulation -run TestSoak -count 1 -timeout 0 -v -soak 8760h -seed $(or $(SEED),1000)

mutants: ## each must be caught by the roster's tests or the simulation; about twenty minutes
	go test ./internal/roster -run TestMutants -count 1 -timeout 0 -v -mutants
