# slurm-ipp.  `make help` lists the targets.

prefix     ?= /usr/local
libexecdir ?= $(prefix)/libexec/slurm-ipp
bindir     ?= $(prefix)/bin
libdir     ?= $(prefix)/lib
includedir ?= $(prefix)/include
mandir     ?= $(prefix)/share/man
# Where Slurm looks for plugins, and for its configuration.
plugindir  ?= /usr/lib/$(shell $(CC) -print-multiarch)/slurm-wlm
sysconfdir ?= /etc/slurm

CC      ?= gcc
OPT     ?= -O2 -g
VERSION := 0.1.0
# SAN=address,undefined or SAN=thread builds in a folder of its own.
SAN     ?=
comma   := ,
B       := build/$(if $(SAN),$(subst $(comma),-,$(SAN)),release)

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
        -Wpointer-arith -Wwrite-strings -Wvla
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)
CPPFLAGS += -D_GNU_SOURCE -I. -Iengine -Iclient -I$(B) -DIPP_VERSION='"$(VERSION)"'
# -ffp-contract=off: contraction differs by compiler, and predictions must not.
CFLAGS   += -std=c11 $(OPT) $(WARN) -ffp-contract=off -fPIC -fstack-protector-strong $(SANFLAGS)
LDFLAGS  += -Wl,--as-needed -Wl,-z,relro,-z,now $(SANFLAGS)

pkg = $(shell pkg-config --$(1) $(2) 2>/dev/null)

# ---- what is built from what ---------------------------------------------------------------
# Every folder is an archive of its sources, less the mains, which are named for their programs.
MAINS    := controller/ipp-controller.c engine/ipp-engine.c engine/ipp-worker.c \
            engine/ipp-guard.c client/ipp-run.c launcher/ipp-launch.c
sources   = $(filter-out $(MAINS),$(wildcard $(1)/*.c))
objects   = $(patsubst %.c,$(B)/%.o,$(call sources,$(1)))

FOLDERS  := proto controller engine engine/runtimes engine/forest engine/modules/forest engine/modules/bench client client/verbs client/journal client/libipp launcher
MODULES  := $(B)/modules/forest.so $(B)/modules/bench.so
PROGRAMS := $(patsubst %,$(B)/%,$(notdir $(basename $(wildcard $(MAINS)))))
SONAME   := libipp.so.0
LIBRARIES := $(B)/libipp.a $(B)/$(SONAME)
PLUGIN   := $(if $(wildcard spank/*.c),$(B)/spank_ipp.so)
TESTS    := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/*_test.c))
TEST_MODULES := $(patsubst tests/modules/%.c,$(B)/tests/modules/%.so,$(wildcard tests/modules/*.c))

archive   = $(B)/$(subst /,-,$(1)).a
WIRE     := $(call archive,proto)
WIRELIBS  = $(call pkg,libs,libevent_core openssl libprotobuf-c)
JSONLIBS  = $(call pkg,libs,jansson)
PMIXLIBS  = $(call pkg,libs,pmix)
TERMLIBS  = $(call pkg,libs,ncursesw)

all: $(PROGRAMS) $(MODULES) $(LIBRARIES) $(PLUGIN)  ## build everything (the default)

$(B)/ipp-controller: $(B)/controller/ipp-controller.o $(call archive,controller) $(call archive,launcher) $(WIRE)
$(B)/ipp-engine:     $(B)/engine/ipp-engine.o $(call archive,engine) $(WIRE)
$(B)/ipp-worker:     $(B)/engine/ipp-worker.o $(B)/engine/stopwatch.o $(call archive,engine) $(call archive,engine/runtimes) $(WIRE)
$(B)/ipp-guard:      $(B)/engine/ipp-guard.o $(B)/engine/orphans.o
$(B)/ipp-run:        $(B)/client/ipp-run.o $(call archive,client/verbs) $(call archive,client) $(call archive,client/journal) $(B)/libipp.a $(call archive,engine/forest) $(WIRE)
$(B)/ipp-launch:     $(B)/launcher/ipp-launch.o $(call archive,launcher) $(WIRE)
$(B)/modules/forest.so: $(call objects,engine/modules/forest) $(call archive,engine/forest) \
                        $(B)/proto/error.o
$(B)/modules/bench.so: $(call objects,engine/modules/bench)

$(B)/ipp-controller $(B)/ipp-engine $(B)/ipp-run $(B)/ipp-launch: LDLIBS = $(WIRELIBS) $(JSONLIBS) -lm
$(B)/ipp-worker $(B)/ipp-guard: LDLIBS = $(call pkg,libs,libevent_core libprotobuf-c) -ldl -lm
$(B)/ipp-launch: LDLIBS += $(PMIXLIBS) -lslurm
$(B)/ipp-run: LDLIBS += $(TERMLIBS)
$(B)/launcher/%.o: CPPFLAGS += $(call pkg,cflags,pmix)

$(PROGRAMS):
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/modules/%.so:
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-z,defs -o $@ $^ -lm

# libipp is one object, of which programs see what ipp/client.h declares and nothing else.
$(B)/libipp.names: client/ipp/client.h
	@mkdir -p $(@D)
	sed -nE 's/^[a-z][a-z0-9_ *]*[ *](ipp_[a-z_]+)\(.*/\1/p' $< >$@
$(B)/libipp.map: $(B)/libipp.names
	{ echo 'LIBIPP_0 { global:'; sed 's/$$/;/' $<; echo 'local: *; };'; } >$@
$(B)/libipp.o: $(call archive,client/libipp) $(call archive,launcher) $(WIRE) $(B)/libipp.names
	$(LD) -r -o $@ --whole-archive $< --no-whole-archive $(filter-out $<,$(filter %.a,$^))
	objcopy --keep-global-symbols=$(B)/libipp.names $@
$(B)/libipp.a: $(B)/libipp.o
	@rm -f $@
	$(AR) rcs $@ $<
$(B)/$(SONAME): $(B)/libipp.o $(B)/libipp.map
	$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,$(SONAME) -Wl,-z,defs \
		-Wl,--version-script=$(B)/libipp.map -o $@ $< $(WIRELIBS) $(JSONLIBS)

# The plugin lives in root daemons: nothing of ours is linked into it, and little is exported.
$(B)/spank_ipp.so: $(call objects,spank) spank/exports.map
	$(CC) $(CFLAGS) $(filter-out -Wl$(comma)-z$(comma)defs,$(LDFLAGS)) -shared \
		-Wl,--version-script=spank/exports.map -o $@ $(filter %.o,$^)
$(B)/spank/%.o $(B)/launcher/program.o: CPPFLAGS += -DIPP_LIBEXECDIR='"$(libexecdir)"'
# Slurm's daemons are not built with sanitizers, so neither is the plugin.
$(B)/spank/%.o $(B)/spank_ipp.so: SANFLAGS =

define archive_rule
$$(call archive,$(1)): $$(call objects,$(1))
	@rm -f $$@
	$$(AR) rcs $$@ $$^
endef
$(foreach folder,$(FOLDERS),$(eval $(call archive_rule,$(folder))))

$(call archive,proto): $(B)/proto/ipp.pb-c.o
$(B)/proto/ipp.pb-c.c: proto/ipp.proto | packages
	@mkdir -p $(@D)
	protoc-c --c_out=$(B) $<
$(B)/proto/ipp.pb-c.h: $(B)/proto/ipp.pb-c.c ;
$(B)/proto/ipp.pb-c.o: $(B)/proto/ipp.pb-c.c
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/%.o: %.c $(B)/proto/ipp.pb-c.h | packages
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/tests/%: $(B)/tests/unit/%.o $(foreach f,$(FOLDERS),$(call archive,$(f)))
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group \
		$(WIRELIBS) $(JSONLIBS) $(PMIXLIBS) $(TERMLIBS) -lslurm $(call pkg,libs,cmocka) -ldl -lm

$(B)/tests/modules/%.so: $(B)/tests/modules/%.o
	$(CC) $(CFLAGS) $(LDFLAGS) -shared -o $@ $<

.PHONY: packages
packages:  # a missing header is named with its package, before the compiler trips over it
	@CC='$(CC)' CPPFLAGS='$(CPPFLAGS)' contrib/packages check

# ---- tests -----------------------------------------------------------------------------------
check: check-packages  ## install what the tests need, build, run all tests
	@$(MAKE) --no-print-directory all test-programs
	B=$(B) prove --timer $(PROVEFLAGS) --exec tests/run-one $(B)/tests/*_test tests/local/*.bats tests/slurm/*.bats

unit: all test-programs  ## the unit tests alone
	B=$(B) prove $(PROVEFLAGS) --exec tests/run-one $(TESTS)

test-programs: $(TESTS) $(TEST_MODULES)

# What decodes bytes from outside, each with a corpus; a finding stays in build/fuzz/, and
# build/fuzz/NAME FILE replays it.
FUZZ_SECONDS ?= 60
FUZZERS      := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))
FUZZED       := $(patsubst %.c,build/fuzz/%.o,$(foreach f,$(FOLDERS) spank,$(call sources,$(f))) \
                proto/ipp.pb-c.c)
FUZZFLAGS    := -std=c11 -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all

fuzzers: $(FUZZERS)

fuzz: fuzzers  ## run each fuzzer for FUZZ_SECONDS, one on each CPU; needs clang
	@printf '%s\n' $(notdir $(FUZZERS)) | \
		FUZZ_SECONDS=$(FUZZ_SECONDS) xargs -P "$$(nproc)" -n 1 tests/fuzz/run

build/fuzz/%_fuzz: build/fuzz/tests/fuzz/%_fuzz.o build/fuzz/fuzzed.a
	clang $(FUZZFLAGS) -fsanitize=fuzzer -o $@ $^ $(WIRELIBS) $(JSONLIBS) -lm
# Its functions are found by dlsym().
build/fuzz/worker_fuzz: private FUZZFLAGS += -rdynamic
build/fuzz/fuzzed.a: $(FUZZED)
	@rm -f $@
	$(AR) rcs $@ $^
build/fuzz/%.o: private CPPFLAGS += -DIPP_LIBEXECDIR='"$(libexecdir)"' $(call pkg,cflags,pmix)
build/fuzz/tests/%.o: private FUZZFLAGS += $(WARN)
build/fuzz/%.o: %.c $(B)/proto/ipp.pb-c.h
	@mkdir -p $(@D)
	clang $(CPPFLAGS) $(FUZZFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<
build/fuzz/proto/ipp.pb-c.o: $(B)/proto/ipp.pb-c.c
	@mkdir -p $(@D)
	clang $(CPPFLAGS) $(FUZZFLAGS) -c -o $@ $<
.SECONDARY: $(FUZZERS:%=%.o) $(FUZZED)

.PHONY: all check unit test-programs fuzz fuzzers check-packages demo lint format bench bench-tools bench-forest install uninstall clean help
check-packages:
	@contrib/packages install build test

demo:  ## install what is missing, build, run the tutorial's benchmark on local engines
	@contrib/packages install build
	@$(MAKE) --no-print-directory all
	$(B)/ipp-run loo

lint:  ## clang-format, clang-tidy, cppcheck, gcc -fanalyzer, shellcheck
	@contrib/packages install build test lint
	@contrib/lint $(B)

format:  ## lay out the sources as .clang-format says
	git ls-files '*.c' '*.h' | xargs clang-format -i

bench: all bench-tools  ## times and memory, each beside its rival; BENCH="tasks latency" some of them
	@B=$(B) BENCH="$(BENCH)" tests/bench/run

# ---- install ---------------------------------------------------------------------------------
# The programs find each other by lying in one folder; bindir has links to those that users type.
COMMANDS := ipp-run ipp-controller ipp-engine
HEADERS   = $(wildcard engine/ipp/*.h client/ipp/*.h)
PLUGSTACK = $(sysconfdir)/plugstack.conf.d/ipp.conf
COMPLETION = $(prefix)/share/bash-completion/completions

install: all  ## to $(DESTDIR)$(prefix); see docs/admin.md for the folders
	install -d $(addprefix $(DESTDIR),$(bindir) $(libexecdir)/modules $(includedir)/ipp \
		$(libdir)/pkgconfig $(mandir)/man1 $(mandir)/man3 $(plugindir) $(dir $(PLUGSTACK)) \
		$(COMPLETION))
	install $(PROGRAMS) $(DESTDIR)$(libexecdir)
	for program in $(COMMANDS); do \
		ln -sfr $(DESTDIR)$(libexecdir)/$$program $(DESTDIR)$(bindir)/$$program || exit; done
	$(if $(MODULES),install $(MODULES) $(DESTDIR)$(libexecdir)/modules)
	$(if $(HEADERS),install -m 644 $(HEADERS) $(DESTDIR)$(includedir)/ipp)
	install -m 644 $(LIBRARIES) $(DESTDIR)$(libdir)
	ln -sf $(SONAME) $(DESTDIR)$(libdir)/libipp.so
	sed -e 's|@prefix@|$(prefix)|' -e 's|@libdir@|$(libdir)|' -e 's|@includedir@|$(includedir)|' \
		-e 's|@version@|$(VERSION)|' contrib/libipp.pc.in >$(DESTDIR)$(libdir)/pkgconfig/libipp.pc
	for n in 1 3; do install -m 644 docs/man/*.$$n $(DESTDIR)$(mandir)/man$$n || exit; done
	ln -sf ipp-controller.1 $(DESTDIR)$(mandir)/man1/ipp-engine.1
	install -m 644 contrib/completion/ipp-run.bash $(DESTDIR)$(COMPLETION)/ipp-run
	install -m 644 $(PLUGIN) $(DESTDIR)$(plugindir)
	sed -e 's|@plugindir@|$(plugindir)|' -e 's|@libexecdir@|$(libexecdir)|' \
		contrib/plugstack.conf.in >$(DESTDIR)$(PLUGSTACK)

uninstall:  ## remove what install put there
	rm -f $(addprefix $(DESTDIR)$(bindir)/,$(COMMANDS)) $(DESTDIR)$(plugindir)/spank_ipp.so \
		$(DESTDIR)$(COMPLETION)/ipp-run \
		$(addprefix $(DESTDIR)$(libexecdir)/modules/,$(notdir $(MODULES))) $(DESTDIR)$(PLUGSTACK) \
		$(addprefix $(DESTDIR)$(libexecdir)/,$(notdir $(PROGRAMS))) \
		$(addprefix $(DESTDIR)$(includedir)/ipp/,$(notdir $(HEADERS))) \
		$(addprefix $(DESTDIR)$(libdir)/,$(notdir $(LIBRARIES)) libipp.so pkgconfig/libipp.pc) \
		$(addprefix $(DESTDIR)$(mandir)/,$(foreach n,1 3,$(addprefix man$n/,$(notdir \
			$(wildcard docs/man/*.$n)))) man1/ipp-engine.1)
	for folder in $(libexecdir)/modules $(libexecdir) $(includedir)/ipp; do \
		[ ! -d $(DESTDIR)$$folder ] || rmdir --ignore-fail-on-non-empty $(DESTDIR)$$folder; done

bench-forest: all $(B)/tests/forest_bench  ## the forest beside scikit-learn, ranger and ipyparallel (30 min)
	@contrib/packages install rivals
	@/usr/bin/python3 tests/bench/forest_pairs.py $(B)/tests/forest_bench $(FOREST)
	@/usr/bin/python3 tests/bench/forest_sameness.py $(abspath $(B))/ipp-run
	@B=$(B) tests/bench/loo

# What make bench is measured against, or by.
BENCH_TOOLS := $(patsubst %,$(B)/bench/%,spawn pingpong many_engines schedule copy tls_stream)
bench-tools: $(BENCH_TOOLS)
$(B)/bench/schedule: $(B)/libipp.a
$(B)/bench/%: tests/bench/%.c $(WIRE)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(WIRELIBS) $(JSONLIBS) -lm

$(B)/tests/forest_bench: tests/bench/forest_bench.c $(call archive,engine/forest) $(B)/proto/error.o
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lm

clean:  ## remove everything built
	rm -rf build

help:  ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

-include $(shell find $(B) build/fuzz -name '*.d' 2>/dev/null)
