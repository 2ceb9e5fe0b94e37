# disksum: what is behind these words is in meson.build, scripts/ and tests/.

PREFIX ?= /usr/local
DESTDIR ?=
IMAGE ?=
BUILD = build

# A word for the shell, whatever is in it.
quote = '$(subst ','\'',$(1))'

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@command -v meson >/dev/null || \
	    { echo "meson is missing: 'make setup' installs what is needed"; exit 1; }
	meson setup $(BUILD) --prefix=$(call quote,$(PREFIX))

# On Debian: the packages that are missing; says what it installs.
setup:
	scripts/install-packages build

demo:
	scripts/install-packages build demo
	@$(MAKE) --no-print-directory all
	@scripts/demo $(call quote,$(or $(IMAGE),demo/disk.raw))

check:
	scripts/install-packages build test deb
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
	meson configure $(BUILD) -Dprefix=$(call quote,$(PREFIX))
	destdir=$(call quote,$(DESTDIR)); \
	case $$destdir in /* | '') ;; *) destdir=$$PWD/$$destdir ;; esac; \
	DESTDIR=$$destdir meson install -C $(BUILD)

# Debian's packages of this tree, beside it.
deb:
	scripts/install-packages build deb
	dpkg-buildpackage -b -us -uc

clean:
	rm -rf $(BUILD) build-*

.PHONY: all setup demo check bench fuzz install deb clean
