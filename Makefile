# Headway: build, run, test. `make help` lists the commands.

CARGO ?= cargo
# As cargo sees it: a user who sets nothing gets ./target.
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
HEADWAY := $(TARGET_DIR)/debug/headway

# End-to-end tests are cargo tests. They are chosen by name, not by package: with `-p` cargo would resolve
# other features than for the whole workspace, and compile the dependencies again.
E2E_TESTS := $(patsubst tests/e2e/tests/%.rs,--test %,$(wildcard tests/e2e/tests/*.rs))

# A workspace of its own, with subxt.
SUBXT := --locked --manifest-path tests/subxt/Cargo.toml --target-dir $(TARGET_DIR)/subxt

# Builds with clippy in place of the compiler, but for dependencies: `cargo clippy` would check all of them anew.
LINT := RUSTC_WORKSPACE_WRAPPER=$(abspath scripts/clippy.sh) CLIPPY_ARGS=-Dwarnings__CLIPPY_HACKERY__ \
	HEADWAY_SKIP_WASM=1 $(CARGO) build

# Benchmarks are chosen by name, too.
BENCHES := $(patsubst %.rs,--bench %,$(notdir $(wildcard */benches/*.rs */*/benches/*.rs)))

.DEFAULT_GOAL := help
.PHONY: help deps fetch build testnet test unit e2e zombienet lint fmt release bench bench-runtime simulate bench-weights fuzz

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

deps: ## Check for what is needed, install what is missing
	@scripts/deps.sh

fetch: deps ## Download all dependencies, so that building needs no network
	@scripts/fetch.sh

build: deps ## Build everything
	$(CARGO) build --workspace

testnet: build ## Run a local network: 4 validators and one parachain (options in ARGS)
	$(HEADWAY) testnet $(ARGS)

test: deps ## Check the format, build, run all tests
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path tests/subxt/Cargo.toml --check
	$(CARGO) build --workspace
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory e2e
	@$(MAKE) --no-print-directory zombienet

unit: ## Run all tests but the end-to-end tests (options in ARGS)
	$(CARGO) test --workspace --exclude headway-e2e $(ARGS)

e2e: ## Run the end-to-end tests on the built program (options in ARGS)
ifneq ($(E2E_TESTS),)
	scripts/polkadot-js.sh
	$(CARGO) build $(SUBXT)
	HEADWAY_BIN=$(abspath $(HEADWAY)) HEADWAY_CHECK_EVENTS=$(abspath $(TARGET_DIR)/subxt/debug/check-events) \
		$(CARGO) test --workspace $(E2E_TESTS) $(ARGS)
endif

zombienet: ## Run the network definitions of zombienet/ with the stock zombienet
ifneq ($(wildcard scripts/zombienet.sh),)
	HEADWAY_BIN=$(abspath $(HEADWAY)) scripts/zombienet.sh
endif

lint: deps ## Deny warnings of the compiler and clippy; check that tests reuse the build
	$(LINT) --workspace --all-targets
	$(LINT) $(SUBXT)
	scripts/features.sh

fmt: ## Format the code
	$(CARGO) fmt --all
	$(CARGO) fmt --manifest-path tests/subxt/Cargo.toml

release: deps ## Build the optimised program
	$(CARGO) build --workspace --release

# Under the one profile: that of benchmarks would compile every dependency again. By name, because otherwise the
# unit tests of all crates would be run as benchmarks too.
bench: deps ## Run the benchmarks (options in ARGS)
	$(CARGO) bench --workspace --profile dev $(BENCHES) $(ARGS)

# The whole workspace is named for the same reason as above; the blob is optimised in every profile.
bench-runtime: deps ## Measure the inherent of a full block in Wasm, part by part (options in ARGS)
	$(CARGO) build --workspace --bin headway-bench-runtime
	$(TARGET_DIR)/debug/headway-bench-runtime $(ARGS)

simulate: deps ## Run simulated networks in which everything goes wrong (options in ARGS: --seeds 0..1000)
	$(CARGO) build --workspace --bin headway-simulate
	$(TARGET_DIR)/debug/headway-simulate $(ARGS)

# The feature is nowhere else: of what was built without it, the pallets and the runtime alone are built again.
bench-weights: deps ## Measure in Wasm what calls weigh, and write it into the pallets (options in ARGS)
	$(CARGO) build --workspace --bin headway-bench-weights --features headway-bench-runtime/weights
	$(TARGET_DIR)/debug/headway-bench-weights $(ARGS)
	$(CARGO) fmt --all

# Targets of tests/fuzz, a workspace of its own: it takes a nightly compiler and cargo-fuzz.
FUZZ_TARGETS := $(basename $(notdir $(wildcard tests/fuzz/fuzz_targets/*.rs)))

fuzz: ## Run the fuzz targets (or those in TARGETS), each for SECONDS (600)
	cp Cargo.lock tests/fuzz/
	set -e; for target in $(or $(TARGETS),$(FUZZ_TARGETS)); do \
		$(CARGO) +nightly fuzz run --fuzz-dir tests/fuzz $$target -- -max_total_time=$(or $(SECONDS),600) -max_len=4096 -len_control=0; \
	done
