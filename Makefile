# Everything a contributor runs. `make help` lists it.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
LDFLAGS  = -s -w -X github.com/kubepromote/kubepromote/plugins/kubectl/cli.version=$(VERSION)

# The checkers are pinned here and fetched as Go modules when they are first run.
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@v1.8.0
APIDIFF     = golang.org/x/exp/cmd/apidiff@v0.0.0-20260908205506-85c1c2202aba

# OS/ARCH pairs for the targets that take them, with blanks between; empty means all.
PLATFORMS ?=

# A release is made with the Go release that VERSION names, which Go fetches where
# it is another one, and without any other setting of the machine: the same sources
# give the same bytes. The tools are the module in tools/.
TOOLS  ?= $(CURDIR)/bin/tools
PINNED  = VERSION=$$(sed -n 1p VERSION) GOTOOLCHAIN=$$(sed -n 2p VERSION) GOFLAGS=-trimpath GOWORK=off CGO_ENABLED=0 TZ=UTC PATH="$(TOOLS):$$PATH"
comma   = ,
empty   =
# darwin/386 is served by the archive for darwin/amd64.
targets = $(subst $(empty) $(empty),$(comma),$(subst /,_,$(strip $(subst darwin/386,darwin/amd64,$(PLATFORMS)))))
GORELEASER = sed '$(if $(targets),s/targets: .*/targets: [$(targets)]/)' .goreleaser.yaml | $(PINNED) goreleaser

# The race detector needs a C compiler. Every process that has it sleeps a second before
# it ends, in case others still report; ours do not run on.
RACE := $(shell command -v $$($(GO) env CC) >/dev/null 2>&1 && echo -race)

.DEFAULT_GOAL := help
.PHONY: help build demo test e2e bench lint fmt check generate fuzz api platforms size release krew image tools man schemas

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/kubectl-promote, bin/promote-fn and bin/promote-helm
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/kubectl-promote ./cmd/kubectl-promote
	$(GO) build -trimpath -ldflags "$(LDFLAGS)" -o bin/promote-fn ./cmd/promote-fn
	cd cmd/promote-helm && $(GO) build -trimpath -ldflags '-s -w' -o ../../bin/promote-helm .

demo: ## do the main job on a fresh repository and registry
	$(GO) run ./cmd/kubectl-promote demo

# What go vet finds is found by make check: here it would look at every dependency once more.
test: ## run all unit tests and scripts, with the race detector where there is a C compiler
	@test -n '$(RACE)' || echo 'no C compiler: the tests run without the race detector'
	GORACE=atexit_sleep_ms=0 $(GO) test $(RACE) -vet=off -timeout 30m ./...

# Everything but the tests with the race detector is compiled as a release is, so that the
# dependencies are compiled once for all of it.
lint check e2e: export CGO_ENABLED = 0
lint check e2e: export GOFLAGS := $(strip $(shell $(GO) env GOFLAGS) -trimpath)

e2e: ## run the tests against real peers: registry, cosign, kustomize, kubectl, git, Gitea, the API server of Kubernetes, helm
	cd e2e && $(GO) test -vet=off -count=1 -timeout 40m ./...
	cd e2e/forge && $(GO) test -vet=off -count=1 -timeout 40m ./...
	cd e2e/contract && $(GO) test -vet=off -count=1 -timeout 40m ./...
	cd e2e/cluster && $(GO) test -vet=off -count=1 -timeout 40m ./...
	cd e2e/helm && $(GO) test -vet=off -count=1 -timeout 40m ./...

# ROWS="gates push" measures these alone, and OUT=FILE gets a line of JSON more for each figure.
bench: ## compare speed and memory with what users would do otherwise; fails where a bound is missed
	cd e2e && $(GO) run ./cmd/bench $(if $(ROWS),-rows $(subst $(empty) $(empty),$(comma),$(strip $(ROWS)))) $(if $(OUT),-out $(abspath $(OUT)))

fmt: ## format the code
	gofmt -w $$(git ls-files '*.go')

generate: ## write docs/reference from the commands, and docs/api from the packages
	$(GO) run ./docs/gen

schemas: ## write promote/schema/kubernetes.gz from the OpenAPI files of Kubernetes, which Go fetches
	cd tools && $(GO) run ./schemas -o ../promote/schema/kubernetes.gz

lint: ## vet, staticcheck, and govulncheck where its database can be reached
	$(GO) vet ./...
	cd e2e && $(GO) vet ./...
	cd e2e/forge && $(GO) vet ./...
	cd e2e/contract && $(GO) vet ./...
	cd e2e/cluster && $(GO) vet ./...
	cd e2e/helm && $(GO) vet ./...
	cd cmd/promote-helm && $(GO) vet ./...
	cd tools && $(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	@.ci/govulncheck $(GO) run $(GOVULNCHECK) ./...

check: lint ## lint, and fail where formatting, go.mod or generated files are not up to date
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -d $$(git ls-files '*.go'); exit 1; }
	$(GO) mod tidy -diff
	cd e2e && $(GO) mod tidy -diff
	cd e2e/forge && $(GO) mod tidy -diff
	cd e2e/contract && $(GO) mod tidy -diff
	cd e2e/cluster && $(GO) mod tidy -diff
	cd e2e/helm && $(GO) mod tidy -diff
	cd cmd/promote-helm && $(GO) mod tidy -diff
	cd tools && $(GO) mod tidy -diff
	$(GO) run ./docs/gen -check
	@.ci/apidiff $(GO) run $(APIDIFF)

api: ## compare the packages' API with the last tag's
	@.ci/apidiff $(GO) run $(APIDIFF)

# What only has to compile is not optimised, which would take longer.
platforms: ## compile everything for PLATFORMS (all that a release is made for)
	@set -e; for p in $(or $(PLATFORMS),linux/386 linux/amd64 linux/arm linux/arm64 linux/ppc64le darwin/amd64 darwin/arm64 windows/386 windows/amd64 windows/arm64); do \
	  echo "$$p"; CGO_ENABLED=0 GOARM=6 GOOS=$${p%/*} GOARCH=$${p#*/} $(GO) build -trimpath -gcflags='all=-N -l' ./...; \
	  cd cmd/promote-helm; CGO_ENABLED=0 GOARM=6 GOOS=$${p%/*} GOARCH=$${p#*/} $(GO) build -trimpath -gcflags='all=-N -l' -o /dev/null .; cd ../..; done

release: tools man ## make dist/: archives, checksums, SBOMs, krew manifest, image; signed with COSIGN_KEY
	$(GORELEASER) release --snapshot --clean --config - $(if $(COSIGN_KEY),,--skip=sign)
	$(PINNED) && release manifest $$VERSION dist && release image $$VERSION dist
	@if test -z '$(COSIGN_KEY)'; then echo 'nothing is signed: there is no key'; echo 'hint: COSIGN_KEY=cosign.key COSIGN_PASSWORD=… make release'; \
	elif test -d dist/image; then echo '{}' | cosign attest-blob --yes --key '$(COSIGN_KEY)' --tlog-upload=false --new-bundle-format --bundle dist/image.sigstore.json \
	  --type https://sigstore.dev/cosign/sign/v1 --predicate - dist/image/blobs/sha256/$$(sed -n 's/.*"digest": "sha256:\([0-9a-f]*\)".*/\1/p' dist/image/index.json); fi

krew: tools man ## make the archives for PLATFORMS (all) and dist/krew-manifest.yaml
	$(GORELEASER) release --snapshot --clean --config - --skip=sign,sbom
	$(PINNED) && release manifest $$VERSION dist

image: PLATFORMS := $(or $(PLATFORMS),linux/386 linux/amd64 linux/arm linux/arm64 linux/ppc64le)
image: tools ## make dist/image, an OCI layout of promote-fn's container image, for PLATFORMS (all)
	$(GORELEASER) build --snapshot --clean --config - --id promote-fn
	$(PINNED) && release image $$VERSION dist

tools:
	cd tools && GOBIN=$(TOOLS) GOTOOLCHAIN=$$(sed -n 2p ../VERSION) GOFLAGS=-trimpath GOWORK=off CGO_ENABLED=0 $(GO) install tool

man:
	@rm -rf bin/man
	$(PINNED) $(GO) run ./docs/gen -man bin/man

size: ## list the packages that cost most in the program, by the symbols that the linker has kept
	@CGO_ENABLED=0 $(GO) build -trimpath -o bin/size ./cmd/kubectl-promote
	@$(GO) tool nm -size -sort size bin/size | awk -f tools/size.awk

FUZZTIME ?= 60s
fuzz: ## run each fuzz target for FUZZTIME (60s)
	@set -e; for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$pkg; \
	  done; done
