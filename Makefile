# The everyday words. Everything else: HACKING.md.
BUILD ?= build
PRESET ?= release
DESTDIR ?=
JOBS ?= $(shell nproc)

.PHONY: all deps build-deps build run stop test test-all unit fresh-check bench crash install clean help

all: build

help:
	@echo 'make deps         install everything that building and testing needs (Debian packages, as root)'
	@echo 'make build        programs in $(BUILD)/root/sbin, daemons in $(BUILD)/root/libexec'
	@echo 'make run          build, make two private instances, send mail through them, leave them running'
	@echo 'make stop         end what make run left running'
	@echo 'make test         everything: unit tests, corpora, scenarios, compatibility (exit 77: some needed root)'
	@echo 'make test-all     the same, and the long comparisons that are still being settled'
	@echo 'make fresh-check  run, stop and test in a bare Debian chroot'
	@echo 'make bench        beside Postfix and OpenSMTPD, an hour; BENCH="--quick --only A,B": bench/README.md'
	@echo 'make crash        the long form of the proof that nothing accepted is lost (an hour and more; root)'
	@echo 'make install      Debian layout below DESTDIR'

deps:
	tools/deps

# Nothing to do, and silent, when all is there.
build-deps:
	@tools/deps build

build: build-deps
	@cmake --preset $(PRESET) -B $(BUILD) >$(BUILD).cmake.log 2>&1 || { cat $(BUILD).cmake.log; rm -f $(BUILD).cmake.log; exit 1; }
	@rm -f $(BUILD).cmake.log
	@cmake --build $(BUILD) -j $(JOBS)

run: build
	tools/run

stop:
	tools/run stop

# What has been seen to hold as a whole; `make test-all` runs whatever is in test/.  Files that take long come first, so that no
# one waits for the last of them.
PROVEN = crash \
	bench \
	compat/local/test_local.py \
	compat/smtpd \
	compat/smtp \
	compat/test_check.py \
	compat/tables \
	compat/stock \
	compat/transactions \
	compat/walkthrough \
	compat/swap \
	compat/cleanup \
	compat/qmgr \
	compat/handover \
	compat/notices \
	compat/queue_files \
	compat/dialogue \
	compat/verify \
	compat/test_flush.py \
	compat/test_postsuper.py \
	compat/test_postconf.py \
	compat/test_queue_tools.py \
	sandbox \
	scenarios \
	harness

test: deps build
	tools/oracle >/dev/null
	test/run --build $(BUILD) --sanitizers --faults --again $(PROVEN)

test-all: deps build
	tools/oracle >/dev/null
	test/run --build $(BUILD) --faults

unit: build
	ctest --test-dir $(BUILD) --output-on-failure -L 'unit|fuzz-replay'

fresh-check:
	tools/fresh-check

bench: deps build
	tools/oracle >/dev/null
	bench/run $(BENCH)

crash: deps build
	tools/oracle >/dev/null
	test/crash/run --build $(BUILD)

install: build
	tools/install --build $(BUILD) --destdir '$(DESTDIR)'

clean:
	rm -rf $(BUILD)
