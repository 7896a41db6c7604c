PREFIX  ?= /usr/local
DESTDIR ?=
GO      ?= go

# The parts of libvirt's binding that nothing here uses; each would link a library of its own. libvirt_without_admin cannot be
# among them: with it the binding does not link (1.12007). Everything that runs go reads this: build, vet, test, staticcheck; with
# flags of their own they would compile everything again.
TAGS := libvirt_without_qemu,libvirt_without_lxc
export GOFLAGS := $(filter-out -tags=% -trimpath,$(GOFLAGS)) -trimpath -tags=$(TAGS)

# Where things go, without DESTDIR; a package gives its distribution's directories.
BINDIR       ?= $(PREFIX)/bin
LIBEXECDIR   ?= $(PREFIX)/libexec/virt-sandbox
UNITDIR      ?= $(PREFIX)/lib/systemd/system
PRESETDIR    ?= $(PREFIX)/lib/systemd/system-preset
GENERATORDIR ?= $(PREFIX)/lib/systemd/system-generators
SYSCTLDIR    ?= $(PREFIX)/lib/sysctl.d
SYSUSERSDIR  ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR  ?= $(PREFIX)/lib/tmpfiles.d
HOOKDIR      ?= $(PREFIX)/share/virt-sandbox/hooks
ANSIBLEDIR   ?= $(PREFIX)/share/virt-sandbox/ansible
# Where perl looks for what is no part of it.
PERLDIR      ?= $(if $(filter /usr,$(PREFIX)),/usr/share/perl5,$(PREFIX)/lib/site_perl)
MANDIR       ?= $(PREFIX)/share/man
BASHDIR      ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR       ?= $(PREFIX)/share/zsh/site-functions
FISHDIR      ?= $(PREFIX)/share/fish/vendor_completions.d

placed = $(foreach name,DESTDIR BINDIR LIBEXECDIR UNITDIR PRESETDIR GENERATORDIR SYSCTLDIR SYSUSERSDIR TMPFILESDIR HOOKDIR \
	ANSIBLEDIR PERLDIR MANDIR BASHDIR ZSHDIR FISHDIR MAN_DATE,$(name)='$($(name))')

# What --version says, and the date of the manual pages: of a release, or of a checkout on the way to it.
VERSION  := $(shell packaging/version)
MAN_DATE := $(shell packaging/version date)

# What a package's build sets: GOBUILD are arguments of go build for the programs that link libvirt, GOLDFLAGS those of all
# programs' linker. Symbols are left out of what make install installs; a package has them split off.
GOBUILD   ?=
GOLDFLAGS ?= -s -w
STAMP     := -X github.com/virt-sandbox/virt-sandbox/internal/version.stamped=$(VERSION) \
	$(if $(filter-out $(PREFIX)/libexec/virt-sandbox,$(LIBEXECDIR)),-X github.com/virt-sandbox/virt-sandbox/internal/programs.libexec=$(LIBEXECDIR))

# Static programs: they run inside containers, beside each, and at boot.
STATIC := virt-sandbox-init virt-sandbox-service-monitor virt-sandbox-service-monitor-dhcp virt-sandbox-service-generator
# These link libvirt.
LINKED := virt-sandbox virt-sandbox-service virt-sandbox-service-helper

SOURCES := $(shell find . -path ./tools -prune -o -name '*.go' -not -name '*_test.go' -print) go.mod go.sum
SCRIPTS := $(shell git ls-files 2>/dev/null | grep -v '^testdata/\|/testdata/' | \
	xargs awk '/^\043!.*[\/ ](ba)?sh$$/ { print FILENAME } { nextfile }')

# The tools are a module of their own, so that go.mod has only what ships.
TOOL := $(GO) tool -modfile=tools/go.mod

# Each test says on which rig it runs and what it needs there (test/rig/needs.go); a rig has a run of all tests for each of its
# steps. "on PLACE" is such a step, a line of shell. What the runs of make test print is kept, to see which tests ran nowhere.
on      = "cd test/integration && exec env VIRT_SANDBOX_RIG=$(1) ../../bin/integration.test -test.v -test.timeout 100m"
PAGE   := $(call on,before-reboot) reboot $(call on,after-reboot)
RAN    := bin/ran
record  = test/rig/record $(RAN)/$(1)

# How many containers the scale tests drive, and for how long at random.
N      ?= 100
STRESS ?= 10m
scale   = "cd test/scale && exec env VIRT_SANDBOX_RIG=$(1) ../../bin/scale.test -test.v -test.timeout 20m $(2)"

census  = cd test/census && exec env VIRT_SANDBOX_RIG=$(1) $(GO) test -count=1 -v -timeout 120m . $(2)

census_vm = cd bin && exec env VIRT_SANDBOX_RIG=census ./census.test -test.v -test.timeout 40m -part

attack  = cd test/attack && exec env VIRT_SANDBOX_RIG=$(1) ../../bin/attack.test -test.v -test.timeout 100m

.PHONY: all help build check coverage lint site check-site recording govulncheck test test-units test-hosts test-native test-beside test-machine test-machine-vm test-before census census-vm test-scale bench bench-scale bench-stress test-host test-rpm-layout test-docs test-vm test-apparmor attack attack-vm vm-shell demo dist install uninstall install-selinux check-selinux uninstall-selinux install-apparmor uninstall-apparmor clean

all: build

help: ## these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-18s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

build: $(addprefix bin/,$(STATIC) $(LINKED)) ## the seven programs, in bin/

$(addprefix bin/,$(STATIC)): bin/%: $(SOURCES)
	CGO_ENABLED=0 $(GO) build -ldflags '$(GOLDFLAGS) $(STAMP)' -o $@ ./cmd/$*

$(addprefix bin/,$(LINKED)): bin/%: $(SOURCES)
	@pkg-config --exists libvirt || test/rig/install-packages build
	$(GO) build $(GOBUILD) -ldflags '$(GOLDFLAGS) $(STAMP)' -o $@ ./cmd/$*

# What needs no libvirtd: every commit passes it. With nothing in the caches that takes 5 minutes of processor time for the
# race detector (which needs cgo) and 2 for the lint, else what has changed.
check: build ## build, lint and unit tests: what every commit passes
	$(MAKE) lint
	$(race) $(UNITS) $(UNITS_ALONE)
	cd tools && $(GO) test ./...

race = $(GO) test -race -short -vet=off
# These make loop devices, cgroups or processes of ours for a moment, which tests on the native rig take for left behind; the
# others can run beside those.
UNITS_ALONE := ./generator ./internal/cgroup ./internal/content ./internal/image ./test/house ./test/docs ./test/attack \
	./test/packaging ./test/rig/...
UNITS        = $$($(GO) list ./... | grep -v '/test/' | grep -vE '/(generator|internal/(cgroup|content|image))$$')

# What was one package, helper, until it became rooms: more than half of it can only be tried on a rig, so this says how much of
# it the unit tests reach, of a user who is not root.
ROOMS := helper $(addprefix internal/,alloc cgroup checkup claims describe editing enter foreach freezing hostnet hostsystemd \
	innersystemd launch legacy/takeover lockfile logview oneshot outputspool places proc provision roottree sandboximage \
	startup unitfile unitstub upgrading virt)
coverage: ## what the unit tests of the helper's rooms reach, which must not become less
	$(GO) run ./test/rig/coverage -atleast 60 $(ROOMS)

# Every check of the text of programs: gofmt, go vet's and ours (tools/lint), staticcheck, misspell, and shellcheck for scripts.
lint: bin/lint ## every check of the text of programs
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "run gofmt -w on these"; exit 1; }
	$(GO) vet -vettool=$(abspath bin/lint) ./...
	$(TOOL) staticcheck ./...
	@! $(TOOL) deadcode ./cmd/... | grep -v '^\(config\|helper\|sandbox\)/' || { echo 'no program calls these'; exit 1; }
	@git ls-files | grep -v '^testdata/\|/testdata/\|^LICENSE$$' | xargs $(TOOL) misspell -error -i mosquitto,strat # the broker, a mistake
	@command -v shellcheck >/dev/null && command -v pyflakes3 >/dev/null || test/rig/install-packages lint
	shellcheck $(SCRIPTS)
	pyflakes3 $$(git ls-files '*.py')
	cd tools && $(GO) vet ./...

bin/lint: $(wildcard tools/lint/*.go) tools/go.mod tools/go.sum
	cd tools && $(GO) build -o ../bin/lint ./lint

# README, docs and manual pages as a site in bin/www, whose links lead somewhere.
site: bin/site ## all pages as HTML, in bin/www; looks for links that lead nowhere
	@command -v mandoc >/dev/null || test/rig/install-packages site
	bin/site . bin/www

# In headless Chromium no page may be wider than a telephone. Look at the pictures: what is ugly, no program sees.
check-site: site ## look at that with Chromium; pictures are in bin/www.pictures
	test/rig/install-packages check-site
	bin/site -browser chromium bin/www

bin/site bin/recording: bin/%: $(wildcard tools/site/* tools/recording/*) tools/go.mod tools/go.sum
	cd tools && $(GO) build -o ../bin/$* ./$*

# The moving picture of the demo in README.md, from a run of it.
recording: build bin/recording ## run the demo, and write docs/demo.svg
	test/rig/install-packages test
	test/host/run 'sh test/recording' >bin/recording.txt
	bin/recording 'The demo: a container of Apache is made, started, used and deleted' <bin/recording.txt >docs/demo.svg

# Known holes in what is linked. It asks the Go project's database of them, so it needs a network and is no part of check.
govulncheck: ## known holes in what is linked; needs a network
	$(TOOL) govulncheck ./...

# Everything, on the machine's real rpm, dpkg, systemd and libvirt, and on hosts of its own. Needs root. The emulated hosts keep
# one processor busy, while the tests here wait a lot; so do most unit tests, in what time the others leave. What the hosts are made
# of must not be made beside the tests here, which look for mounts that are left, and so is made before, beside the lint.
test: ## everything, on hosts of its own; needs root, about 40 minutes
	test/rig/install-packages test
	rm -rf $(RAN)
	$(MAKE) --jobs=2 --output-sync=line test-units test-hosts
	$(MAKE) --jobs=2 --output-sync=line test-native test-beside
	$(GO) run ./test/rig/ran -elsewhere machine,machine-vm,bench,bench-host,stress,attack,census,before,docs $(RAN)

test-units: build site
	$(MAKE) lint
	$(race) $(UNITS_ALONE)
	cd tools && $(GO) test ./...
	$(GO) test -count=1 ./rpmdeps ./internal/debdeps ./generator
	$(MAKE) bin/integration.test bin/scale.test

test-hosts:
	test/vm/image >/dev/null
	test/host/image >/dev/null
	test/rpm-layout/build >/dev/null
	test/rig/kernel >/dev/null

test-native:
	VIRT_SANDBOX_RIG=native $(call record,native) test/rig/with-libvirt $(GO) test -count=1 -v -timeout 100m ./test/integration
	$(MAKE) bin/attack.test
	$(call record,attack) test/rig/with-libvirt sh -c "$(call attack,native)"
	$(call record,census) test/rig/with-libvirt sh -c "$(call census,native,)"
	test/rig/with-libvirt test/demo
	$(MAKE) test-scale
	$(MAKE) test-host

# Unit tests have a directory for temporary files of their own, which is everybody's as /tmp is: the native rig looks into that. Its
# name is short, as those of sockets must be.
test-beside:
	temporary=$$(mktemp -d /var/tmp/uXXX) && chmod 1777 "$$temporary" && status=0 && \
		{ TMPDIR=$$temporary nice -n 10 $(race) -p 1 $(UNITS) || status=$$?; } && rm -rf $$temporary && exit $$status
	$(MAKE) test-vm
	$(MAKE) test-apparmor

# Daemons of the distribution, each installed, run in containers, and removed again; ONLY=nginx,tor are those of some packages.
# Needs root and a mirror of the distribution.
census: build ## all daemons of test/census, each in containers; an hour
	test/rig/install-packages test
	test/rig/with-libvirt sh -c "$(call census,census,$(if $(ONLY),-args -only $(ONLY)))"

bin/census.test: $(SOURCES) $(wildcard test/census/*.go)
	CGO_ENABLED=0 $(GO) test -c -o $@ ./test/census

# The part of the census that make test has, in emulated machines that enforce SELinux and AppArmor.
census-vm: build bin/census.test ## the census's part of make test, under SELinux and AppArmor
	VM_PACKAGES="$$(bin/census.test -packages)" test/vm/run "$(census_vm)"
	VM_PACKAGES="$$(bin/census.test -packages)" SECURITY=apparmor test/vm/run "$(census_vm)"

# One command in a virtual machine, emulated: all that test has only a part of.
test-machine: build ## all of one command in a virtual machine
	test/rig/install-packages test
	test/rig/kernel >/dev/null
	VIRT_SANDBOX_RIG=machine test/rig/with-libvirt $(GO) test -count=1 -timeout 20m ./test/integration

# The same under SELinux and AppArmor, one command each: an emulated machine in an emulated machine.
machine_vm = VM_PACKAGES='qemu-system-x86 libvirt-daemon-driver-qemu' KERNEL="$$(test/rig/kernel)" $(1) test/vm/run $(call on,machine-vm)
test-machine-vm: build bin/integration.test ## a command in a virtual machine under SELinux and AppArmor
	test/rig/install-packages test
	$(call machine_vm,)
	$(call machine_vm,SECURITY=apparmor)

# The last commit whose configs had what was allocated too, of which running containers are upgraded.
BEFORE := 41afd12
bin/before:
	work=$$(mktemp -d) && git archive $(BEFORE) | tar -x -C $$work && $(MAKE) -C $$work build && mkdir -p bin && \
		cp -r $$work/bin $@.new && mv $@.new $@ && rm -rf $$work

test-before: build bin/before ## containers of the version before, upgraded while they run
	test/rig/install-packages test
	VIRT_SANDBOX_RIG=before test/rig/with-libvirt $(GO) test -count=1 -v -timeout 20m -run 'VersionBefore|TwoVersions' ./test/integration

# How fast a command in a sandbox is, beside libvirt without us and a pipe without a sandbox; and bounds of the time that the
# generator and the readers of package databases take. Needs root, and a machine that does nothing else.
bench: build ## figures of one command, and bounds of time
	test/rig/install-packages test
	test/rig/kernel >/dev/null
	VIRT_SANDBOX_RIG=bench $(GO) test -count=1 -v -run 'Speed|Faster' ./generator ./rpmdeps
	VIRT_SANDBOX_RIG=bench test/rig/with-libvirt $(GO) test -count=1 -v -timeout 10m ./test/bench

# Every parser, one after the other, for FUZZTIME each. What fails is kept below testdata/fuzz of its package.
FUZZTIME ?= 10m
fuzz: ## every fuzz test, FUZZTIME=10m each
	@set -e; git grep -h --full-name -l '^func Fuzz' -- '*_test.go' | while read -r file; do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9]*\)(.*/\1/p' "$$file"); do \
			echo "$${file%/*} $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "./$${file%/*}" </dev/null; \
		done; \
	done

bin/integration.test: $(SOURCES) $(wildcard test/integration/*.go)
	CGO_ENABLED=0 $(GO) test -c -o $@ ./test/integration

# On a host whose systemd runs, in a container of systemd-nspawn: at native speed, without SELinux.
test-host: build bin/integration.test ## what needs a host with systemd
	RPMS="$$(test/rpm-layout/build)" $(call record,host) test/host/run $(call on,host) 'sh test/demo' $(PAGE) \
		$(call rpm_layout,-test.short)

# The feature page where RPM alone knows what belongs to whom, in the layout of Fedora's packages; test-host ends with a part of it.
rpm_layout = 'sh test/install rpms/1' \
	"cd test/integration && exec env VIRT_SANDBOX_RIG=rpm-layout ../../bin/integration.test -test.v -test.timeout 10m $(1)"
test-rpm-layout: build bin/integration.test ## services of packages laid out as Fedora's, on a host of RPM's
	test/rig/install-packages test
	RPMS="$$(test/rpm-layout/build)" test/host/run $(call rpm_layout,)

# Loads another policy in the emulated machine.
POLICY := /usr/local/lib/rig/policy

# What the pages of docs have their readers type, also what is about databases, mail, ssh and apt, and needrestart: on that host
# with their packages. make test has what needs none.
# RUN chooses pages: make test-docs RUN=mail.md
DOCS_PACKAGES := mariadb-server,postgresql,postfix,dovecot-imapd,needrestart,openssh-server,apt-utils,sudo
test-docs: build bin/integration.test ## every command of the docs, on a host with all that they need
	test/rig/install-packages test
	HOST_PACKAGES=$(DOCS_PACKAGES) test/host/run \
		"cd test/integration && exec env VIRT_SANDBOX_RIG=docs ../../bin/integration.test -test.v -test.run '^Test(Docs|SystemdNeedrestart)$$/$(RUN)'"

# On a host that enforces SELinux, with cgroup version 2 and systemd-machined, in a virtual machine: everything real, and
# slow. Before that the policy itself is asked.
test-vm: build bin/integration.test ## what needs SELinux, in an emulated machine
	VIRT_SANDBOX_RIG=policy $(call record,policy) $(GO) test -count=1 -v ./test/policy
	$(call record,vm) test/vm/run $(call on,vm) $(call on,denials) $(call on,attempts) \
		'$(POLICY) policy-container' $(call on,container) '$(POLICY) policy' \
		reboot $(PAGE) $(call on,denials) $(call on,module)

# On the same machine with AppArmor in place of SELinux.
test-apparmor: build bin/integration.test ## what needs AppArmor, in an emulated machine
	SECURITY=apparmor $(call record,apparmor) test/vm/run $(call on,apparmor)

bin/attack.test: $(SOURCES) $(wildcard test/attack/*.go)
	CGO_ENABLED=0 $(GO) test -c -o $@ ./test/attack

# What root inside tries against the host (docs/security.md), all of it; make test has a part. What the runs find is kept in
# bin/attack, from which "go test ./test/attack -run TestTable -update" writes the table.
attack: build bin/attack.test ## all attempts of root inside, without SELinux and AppArmor
	test/rig/install-packages test
	test/rig/record bin/attack/native test/rig/with-libvirt sh -c "$(call attack,attack)"

attack-vm: build bin/attack.test ## the same in emulated machines with SELinux and AppArmor
	test/rig/record bin/attack/selinux test/vm/run "$(call attack,attack)"
	SECURITY=apparmor test/rig/record bin/attack/apparmor test/vm/run "$(call attack,attack)"

# The console of that machine, with the programs installed; log in as root.
vm-shell: build ## that machine's console
	test/vm/run --shell

bin/scale.test: $(SOURCES) $(wildcard test/scale/*.go)
	CGO_ENABLED=0 $(GO) test -c -o $@ ./test/scale

# Many containers at once, few and short; the figures beside those of bare libvirt and systemd-nspawn are bench-scale's.
test-scale: build bin/scale.test ## many containers at once, few and short
	$(call record,scale) test/rig/with-libvirt sh -c $(call scale,native,-n 20 -stress 20s)

bench-scale: build bin/scale.test ## figures of N=100 containers
	test/rig/install-packages test
	test/rig/with-libvirt sh -c $(call scale,bench,-n $(N) -idle 60s)
	test/host/run $(call scale,bench-host)

bench-stress: build bin/scale.test ## start and stop at random for STRESS=10m
	test/rig/with-libvirt sh -c $(call scale,stress,-n 20 -stress $(STRESS))

demo: ## the main job on the distribution's Apache, before your eyes
	test/rig/install-packages demo
	$(MAKE) build
	test/rig/with-libvirt test/demo

install: build ## install below PREFIX=/usr/local, or into DESTDIR
	$(placed) packaging/install install

# Configs and contents stay, and so do units that create made: delete the sandboxes before, if they are to go.
uninstall: ## remove that
	$(placed) packaging/install uninstall

# The sources of the last commit with all that they need, to build without a network; the same bytes each time.
dist: ## the sources with what they need, in bin/
	packaging/dist bin

# All of a release, in bin/release, and what to do with it; it pushes nothing.
release: ## all that a release has, once the checkout is one
	packaging/release bin/release check
	test/rig/install-packages deb
	test/rig/install-packages rpm
	packaging/release bin/release

.PHONY: deb rpm release test-rpm test-packages test-packages-host

# Packages of the last commit, in bin/packages.
deb: ## Debian packages
	test/rig/install-packages deb
	packaging/deb bin/packages

rpm: ## RPM packages
	test/rig/install-packages rpm
	packaging/rpm/build bin/rpm
	rpmlint -c packaging/rpm/rpmlint.toml bin/rpm/*.rpm

# RPM packages: rpmlint, the same bytes twice, and a host of RPM's that upgrades to them, uses and removes them. Those before are of a
# commit that knows the layout of Fedora's packages.
RPM_BEFORE := 3df34d9
test-rpm: rpm ## RPM packages; needs root, some minutes
	test/rig/install-packages test
	packaging/rpm/build bin/rpm-again
	set -e; for file in bin/rpm/*.rpm; do cmp "$$file" "bin/rpm-again/$${file##*/}"; done
	test/packaging/before $(RPM_BEFORE) bin/rpm-before rpm
	PACKAGES=bin/rpm PACKAGES_BEFORE=bin/rpm-before RPMS="$$(test/rpm-layout/build)" \
		test/host/run 'sh test/install rpms/1' 'sh test/on-rpm-host'

# Debian packages: the same bytes twice, lintian, hardening; and hosts that install, use, remove and purge them, run their tests
# (autopkgtest), and upgrade from the packages of a version before.
test-packages: deb ## the packages; needs root, some minutes
	test/rig/install-packages test
	packaging/deb bin/packages-again
	VIRT_SANDBOX_PACKAGES=$(abspath bin/packages) VIRT_SANDBOX_PACKAGES_AGAIN=$(abspath bin/packages-again) \
		$(GO) test -count=1 -v ./test/packaging
	$(MAKE) test-packages-host
	test/packaging/in-image bin/packages
	PACKAGES=bin/packages test/vm/run 'sh test/in-vm'

test-packages-host:
	test/packaging/before $(BEFORE) bin/packages-before deb
	HOST_KIND=packages HOST_PACKAGES=autopkgtest,apparmor,dpkg-dev PACKAGES=bin/packages PACKAGES_BEFORE=bin/packages-before \
		test/host/run 'sh test/on-host'

# The policy for containers; where container-selinux is installed, it goes beside that.
install-selinux: ## load the policy for containers
	packaging/selinux/module install

check-selinux: ## whether it is loaded as it is here
	packaging/selinux/module check

uninstall-selinux: ## remove it
	packaging/selinux/module uninstall

# What libvirt's AppArmor profile for containers lacks for those with systemd; running libvirtd reads it at each start of
# a container.
APPARMORDIR := $(DESTDIR)/etc/apparmor.d
install-apparmor: ## add to libvirt's AppArmor profile
	install -D -m 644 -t $(APPARMORDIR)/abstractions packaging/apparmor/virt-sandbox packaging/apparmor/virt-sandbox-qemu
	APPARMORDIR='$(APPARMORDIR)' packaging/apparmor/hook add

uninstall-apparmor: ## remove that
	APPARMORDIR='$(APPARMORDIR)' packaging/apparmor/hook remove
	rm -f $(APPARMORDIR)/abstractions/virt-sandbox $(APPARMORDIR)/abstractions/virt-sandbox-qemu

clean: ## remove bin/
	rm -rf bin
