# The front door: thin. meson and ninja build, tools/setup installs, test/run.mjs tests.
.PHONY: build run check asan fuzz bench soak lint format clean

build:
	@tools/setup run
	@tools/configure build
	@ninja -C build

# A demo in ./demo: its own domain, mailbox and messages, on loopback. Ctrl-C stops it.
run:
	@tools/setup run
	@tools/configure build
	@ninja -C build program
	@exec build/letterlock demo --dir ./demo

check:
	@tools/setup check
	@node test/run.mjs check

# The whole check on binaries with ASan and UBSan.
asan:
	@tools/setup check
	@node test/run.mjs asan

# FUZZ_SECONDS for each target (60); finds stay in build-clang/fuzz-finds/.
fuzz:
	@tools/setup check
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-60} node test/run.mjs build-clang fuzz

lint:
	@node test/run.mjs lint

# ARGS: names of benches (bench/README.md), --quick.
bench: build
	@ninja -C build bench/store_stock
	@node bench/run.mjs $(ARGS)

soak: build
	@tools/setup check
	@node test/soak.mjs
	@SHIP_MOMENTS=100 SHIP_STEPS=600 node --test test/e2e/ship.test.mjs
	@KILLED_STEPS=100000 node --test test/e2e/killed.test.mjs
	@KILLED_TARGET=s3 KILLED_STEPS=100000 node --test test/e2e/killed.test.mjs
	@ROTATE_KILLS=100000 node --test test/e2e/server_key.test.mjs
	@SOAK=1000 build/store_sync_test
	@SOAK=1000 node --test test/e2e/qresync.test.mjs
	@SOAK=2000 node --test test/e2e/model.test.mjs
	@SOAK=10000 node --test test/e2e/fuzz_sessions.test.mjs

format:
	@tools/lint.mjs --format

clean:
	rm -rf build build-asan build-clang
