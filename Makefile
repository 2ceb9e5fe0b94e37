# disksum: these targets call meson, scripts/ and tests/.
# 'make help' prints the comments after '##'.

PREFIX ?= /usr/local
DESTDIR ?=
IMAGE ?=
BUILD = build

# A word for the shell, whatever is in it.
quote = '$(subst ','\'',$(1))'

all: $(BUILD)/build.ninja ## build build/disksum and build/libblkhash.so
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@command -v meson >/dev/null || \
	    { echo "meson is missing: 'make setup' installs what is needed"; exit 1; }
	meson setup $(BUILD) --prefix=$(call quote,$(PREFIX))

help: ## print this list
	@sed -n 's/^\([a-z-]*\):.* ## \(.*\)/    make \1\t\2/p' Makefile | expand -t 24

setup: ## install what a build needs, on Debian
	scripts/install-packages build

install: all ## install below PREFIX (/usr/local), in DESTDIR
	meson configure $(BUILD) -Dprefix=$(call quote,$(PREFIX))
	destdir=$(call quote,$(DESTDIR)); \
	case $$destdir in /* | '') ;; *) destdir=$$PWD/$$destdir ;; esac; \
	DESTDIR=$$destdir meson install -C $(BUILD)

demo: ## show it on IMAGE, or on a small image
	scripts/install-packages build demo
	@$(MAKE) --no-print-directory all
	@scripts/demo $(call quote,$(or $(IMAGE),demo/disk.raw))

check: ## run all tests; tests/run.py runs some (tests/README.md)
	scripts/install-packages build test deb
	/usr/bin/python3 tests/run.py

check-threads: ## run all tests with 8 threads, under ThreadSanitizer
	scripts/install-packages build test deb
	/usr/bin/python3 tests/run.py threads

lint: ## look for faults without running anything: scripts/lint
	scripts/install-packages build test lint
	scripts/lint

bench: ## measure everything, as ratios within one run
	scripts/install-packages build bench
	@$(MAKE) --no-print-directory all
	/usr/bin/python3 bench/bench.py

SOURCE ?=
qemu-img: ## build qemu-img with 'checksum' (contrib/qemu)
	scripts/install-packages build qemu-img
	@$(MAKE) --no-print-directory all
	scripts/build-qemu-img $(if $(SOURCE),$(call quote,$(SOURCE)))

check-qemu-img: qemu-img ## run its tests
	scripts/install-packages test
	meson configure $(BUILD) -Dtests=true
	ninja -C $(BUILD)
	DISKSUM_BUILD=$$PWD/$(BUILD) DISKSUM_QEMU_SOURCE=$$PWD/build-qemu/source \
	    /usr/bin/python3 -m pytest -q -p no:cacheprovider -n3 tests/qemu-img

check-cluster: ## test Slurm job arrays, Kubernetes Jobs and MPI
	scripts/install-packages build test cluster
	test -e build-cluster/build.ninja || \
	    meson setup build-cluster -Dtests=true -Dmpi=enabled -Dwerror=true
	ninja -C build-cluster
	DISKSUM_BUILD=$$PWD/build-cluster \
	    /usr/bin/python3 -m pytest -q -p no:cacheprovider -n2 tests/cluster

faults: ## let each call of each kind fail; look for leaks
	scripts/install-packages build test
	@$(MAKE) --no-print-directory all
	meson configure $(BUILD) -Dtests=true
	test -e build-faults/build.ninja || \
	    meson setup build-faults -Dtests=true -Db_sanitize=address \
	        -Db_lundef=false -Dbuildtype=debugoptimized
	@# The address sanitizer makes system calls, too, and does without none.
	tests=tests/e2e/test_system_call_faults.py; \
	for build in $(BUILD) build-faults; do \
	    ninja -C $$build && DISKSUM_FAULTS=all DISKSUM_BUILD=$$PWD/$$build \
	        /usr/bin/python3 -m pytest -q -p no:cacheprovider -n2 \
	        tests/e2e/test_call_faults.py $$tests || exit; \
	    tests=; \
	done

CPUS ?=
check-cpus: ## test other compilers and CPUs, or the rows CPUS
	scripts/install-packages build test
	@# A row whose compiler is missing is not tested, and says so.
	scripts/install-packages cpus || echo "NOT INSTALLED: what other CPUs need"
	@$(MAKE) --no-print-directory all
	/usr/bin/python3 tests/cpus/run $(CPUS)

SECONDS ?= 60
fuzz: ## fuzz each target for SECONDS (60)
	scripts/install-packages build test fuzz
	tests/fuzz/run $(SECONDS)

soak: SECONDS = 3600
soak: all ## try random images and command lines for SECONDS (3600)
	scripts/install-packages build test
	tests/soak/run --build=$(call quote,$(BUILD)) --seconds=$(SECONDS)

coverage: ## which lines the tests reach: build-coverage/report
	scripts/install-packages build test coverage
	scripts/coverage

deb: ## build Debian packages in the parent directory
	scripts/install-packages build deb
	dpkg-buildpackage -b -us -uc

clean: ## remove all builds
	rm -rf $(BUILD) build-*

.PHONY: all help setup install demo check lint bench qemu-img check-qemu-img check-cluster check-cpus check-threads faults fuzz soak coverage deb clean
