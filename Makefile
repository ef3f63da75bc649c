# make          build ./doorstep
# make test     everything a change must pass; installs the real peers where it can
# make check    formatting, vet, staticcheck, spelling
# make lint     golangci-lint, by .golangci.yml
# make fuzz     each fuzz target for FUZZTIME
# make crash    power cuts, kill -9 and failing disks, at length; needs root
# make soak     reloads and upgrades under load, ten minutes of it, and five among things that hang
# make hung     ten minutes of mail for a file system that hangs, beside mail for one that does not; needs root
# make overload  healthy clients beside thousands that are idle, slow, or come and go: the table of docs/overload.md
# make vulncheck known faults of the libraries and of Go, by govulncheck and its database
# make pigeonhole  the public test suite of Pigeonhole's Sieve, which is fetched; PIGEONHOLE=DIR is a checkout
# make deb      the Debian package, in ./bin
# make bench    Doorstep beside Dovecot and others, for half an hour; BENCH=-quick or BENCH="-within 12m" for less;
#               then what it costs to look one of a million accounts up, in SQLite and PostgreSQL
# make microbench  the Go benchmarks
# make sieve    20,000 scripts, and as many with mistakes, in Doorstep and in Dovecot's Pigeonhole; some minutes
# make house    how far the files of each package depend on one another, and how large its parts are; HOUSE=-v for
#               each long line

GO       ?= go
FUZZTIME ?= 60s
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo 0.1.0-dev)

# Tools at fixed versions, run through the module proxy: nothing to install by hand.
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
MISSPELL    = github.com/golangci/misspell/cmd/misspell@v0.8.0
GOLANGCI    = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@v1.9.0

.PHONY: build test check lint peers unit fuzz crash soak hung overload vulncheck bench microbench house pigeonhole sieve deb clean

# What is written by people. "dialogue" is one spelling of two; the others are mistakes that tests make on purpose.
SPELLED = $$(git ls-files '*.go' '*.md' Makefile .ci dist | grep -v testdata)

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X github.com/doorstep-mail/doorstep/cmd/internal/cli.Version=$(VERSION)' -o doorstep ./cmd/doorstep

# The peers come over the network while the code is checked.
test: build
	$(MAKE) -j2 -O check peers
	$(MAKE) unit

check:
	@unformatted=$$(gofmt -l cmd config delivery lmtp mailbox); \
	if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	$(GO) mod verify
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	$(GO) run $(MISSPELL) -locale US -i dialogue,dialogues,adress,nmae,recipeints -error $(SPELLED)

lint:
	$(GO) run $(GOLANGCI) run ./...

# It fails for a fault in code that is called, and where it cannot reach its database; VULNCHECK="-db file:///DIR" has it
# use a copy of that.
vulncheck:
	$(GO) run $(GOVULNCHECK) $(VULNCHECK) ./...

peers:
	.ci/install-peers

# mailbox first: it would run alone in the end, for minutes.
unit:
	$(GO) test -race -shuffle=on -timeout 14m ./mailbox ./...

# Every fuzz target of every package, one after the other.
fuzz:
	@for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "== $$package $$target"; \
			GO=$(GO) .ci/fuzz $$package $$target $(FUZZTIME) || exit 1; \
		done; \
	done

# What "make test" does in short: power cuts on every file system with 1, 8 and 64 sessions, 200
# times kill -9, disks that fail and hang, and the same with each sync left out.
crash: peers
	DOORSTEP_CRASH=long $(GO) test -count=1 -v -timeout 60m -run 'Volume|Lies' ./mailbox/powercut
	DOORSTEP_CRASH=long $(GO) test -count=1 -v -timeout 60m ./cmd/internal/crash
	DOORSTEP_CRASH=long $(GO) test -count=1 -v -timeout 60m -run 'Cut|EverySync|Killed|Reused' ./mailbox

# What "make test" does in short: 20 reloads and 5 upgrades while mail comes, ten minutes of load with a look at
# descriptors, goroutines and memory, and five minutes in which a directory and a file system hang now and then.
soak: peers
	DOORSTEP_SOAK=long $(GO) test -count=1 -v -timeout 30m -run 'Soak|ChangesUnderLoad' ./cmd/doorstep

overload:
	DOORSTEP_OVERLOAD=long $(GO) test -count=1 -v -timeout 30m ./cmd/internal/overload

# Twenty minutes: turn by turn mail goes to a second server, so that both rates are of the same machine.
hung:
	DOORSTEP_HUNG=10m $(GO) test -count=1 -v -timeout 60m -run BesideHung ./cmd/internal/crash

bench:
	$(GO) run ./cmd/internal/bench $(BENCH)
	$(GO) test -run '^$$' -bench Lookup ./delivery/directory/sql/sqlite ./cmd/internal/hosting

microbench:
	$(GO) test -run '^$$' -bench . -benchmem ./...

sieve: peers
	DOORSTEP_SIEVE_CASES=20000 $(GO) test -count=1 -v -timeout 30m -run Pigeonhole ./cmd/internal/filter

house:
	@$(GO) run ./cmd/internal/house/measure $(HOUSE)

# The suite is LGPL: it is run where it is, and is never part of this repository.
PIGEONHOLE ?= .cache/pigeonhole
PIGEONHOLE_COMMIT = d0d2bedb71d227bdac782c244f455724fa0f2688

pigeonhole: $(PIGEONHOLE)
	DOORSTEP_PIGEONHOLE=$(abspath $(PIGEONHOLE)) $(GO) test -count=1 -v -run Pigeonhole ./delivery/sieve/svtest

$(PIGEONHOLE):
	rm -rf $@.part
	git init -q $@.part
	git -C $@.part fetch -q --depth 1 https://github.com/dovecot/pigeonhole $(PIGEONHOLE_COMMIT)
	git -C $@.part checkout -q FETCH_HEAD
	mv $@.part $@

deb: build
	dist/debian/build ./doorstep bin

clean:
	rm -rf doorstep doorstep-dev bin
