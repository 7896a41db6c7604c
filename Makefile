PREFIX  ?= /usr/local
DESTDIR ?=
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

STATIC  := virt-sandbox-init virt-sandbox-service-monitor
LINKED  := virt-sandbox-service virt-sandbox-service-helper
LDFLAGS := -s -w

GO          ?= go
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: all build check unit test demo install deps clean

all: build

build: $(addprefix bin/,$(STATIC) $(LINKED))

SOURCES := $(shell find . -name '*.go' -not -name '*_test.go') go.mod go.sum

$(addprefix bin/,$(STATIC)): bin/%: $(SOURCES)
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/$*

$(addprefix bin/,$(LINKED)): bin/%: $(SOURCES)
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/$*

# What is quick and needs no root: every commit passes it.
check: build unit
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "gofmt these files"; exit 1; }

unit:
	$(GO) test -short ./...
