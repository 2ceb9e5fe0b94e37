# disksum: what is behind these words is in meson.build, scripts/ and tests/.

PREFIX ?= /usr/local
DESTDIR ?=
IMAGE ?= demo/disk.raw
BUILD = build

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@command -v meson >/dev/null || \
	    { echo "meson is missing: 'make setup' installs what is needed"; exit 1; }
	meson setup $(BUILD) --prefix=$(PREFIX)

# Debian's packages that are missing; says what it installs.
setup:
	scripts/install-packages build

demo:
	scripts/install-packages build demo
	@$(MAKE) --no-print-directory all
	@scripts/demo $(IMAGE)

check:
	scripts/install-packages build test
	/usr/bin/python3 tests/run.py

bench:
	scripts/install-packages build bench
	@$(MAKE) --no-print-directory all
	/usr/bin/python3 bench/bench.py

# Fuzz each target for so many seconds.
SECONDS ?= 60
fuzz:
	scripts/install-packages build test fuzz
	tests/fuzz/run $(SECONDS)

install: all
	meson configure $(BUILD) -Dprefix=$(PREFIX)
	DESTDIR=$(DESTDIR) meson install -C $(BUILD)

clean:
	rm -rf $(BUILD) build-*

.PHONY: all setup demo check bench fuzz install clean
