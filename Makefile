# The commands of daily work; CI runs the same ones. `make help` lists them.
SHELL := bash
.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: setup
setup: ## Install what tests and demo need and is missing (PostgreSQL, cargo-nextest, cargo-deny)
	@deploy/setup.sh

.PHONY: test
test: setup check ## Formatter, lints, purity, licences, every test and the reports' pages
	@source deploy/test-servers.sh && cargo nextest run --workspace
	@deploy/check-pages.sh

.PHONY: pages
pages: ## The reports' pages in Chromium (PICTURES=folder keeps what was seen)
	@deploy/check-pages.sh

.PHONY: check
check: ## Formatter, lints, layers and what is in deploy, without tests
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- --deny warnings
	@deploy/check-layers.sh
	@deploy/check-licences.sh
	@deploy/check-units.sh
	@deploy/check-terraform.sh
	@deploy/check-kubernetes.sh
	@deploy/check-docker.sh

.PHONY: test-s3
test-s3: ## The tests that need a real S3 server: Ceph, or the one of LETHE_TEST_S3_ENDPOINT
	@deploy/test-s3/run.sh

.PHONY: demo
demo: ## The main job on a made-up company, with the proof (STORE=s3 for a private S3 server)
	@deploy/demo/run.sh "$(or $(STORE),file)"

.PHONY: build
build: ## The release program, target/release/lethe
	cargo build --release --locked -p lethe-cli
