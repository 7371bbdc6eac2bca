# SPDX-License-Identifier: GPL-3.0-or-later
# fuzz: targets for the readers of bytes from outside. With --enable-fuzzers (clang) libFuzzer drives them; otherwise
# they replay the kept corpus as tests. `make fuzz FUZZ_SECONDS=60` builds them with clang in a folder of its own.
fuzz_names = config control frames index journal perfdata range results rrd worker
fuzz_targets = \
	tests/fuzz/fuzz_config \
	tests/fuzz/fuzz_control \
	tests/fuzz/fuzz_frames \
	tests/fuzz/fuzz_index \
	tests/fuzz/fuzz_journal \
	tests/fuzz/fuzz_perfdata \
	tests/fuzz/fuzz_range \
	tests/fuzz/fuzz_results \
	tests/fuzz/fuzz_rrd \
	tests/fuzz/fuzz_worker
fuzz_shared = tests/fuzz/fuzz.c tests/fuzz/fuzz.h
fuzz_ldflags = $(pie_ldflags)
if FUZZERS
noinst_PROGRAMS += $(fuzz_targets)
fuzz_ldflags += -fsanitize=fuzzer
else
unit_tests += $(fuzz_targets)
fuzz_shared += tests/fuzz/replay.c
endif
fuzz_stage = $(fuzz_shared) tests/fuzz/stage.c tests/fuzz/stage.h tests/unit/config_fixture.h tests/tap.h $(keeper_parts)
fuzz_stage_cflags = $(pie_cflags) $(UV_CFLAGS) $(JANSSON_CFLAGS) $(CRYPTO_CFLAGS)

tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c $(fuzz_shared) tests/unit/config_fixture.h tests/tap.h
tests_fuzz_fuzz_config_CFLAGS = $(pie_cflags)
tests_fuzz_fuzz_config_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_config_LDADD = $(config_libs)
tests_fuzz_fuzz_control_SOURCES = tests/fuzz/fuzz_control.c $(fuzz_stage) core/keeper/worker.c
tests_fuzz_fuzz_control_CFLAGS = $(fuzz_stage_cflags)
tests_fuzz_fuzz_control_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_control_LDADD = $(belfryd_LDADD)
tests_fuzz_fuzz_frames_SOURCES = tests/fuzz/fuzz_frames.c $(fuzz_shared)
tests_fuzz_fuzz_frames_CFLAGS = $(pie_cflags)
tests_fuzz_fuzz_frames_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_frames_LDADD = $(config_libs)
tests_fuzz_fuzz_index_SOURCES = tests/fuzz/fuzz_index.c $(fuzz_shared)
tests_fuzz_fuzz_index_CFLAGS = $(pie_cflags) $(PTHREAD_CFLAGS)
tests_fuzz_fuzz_index_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_index_LDADD = $(journal_libs)
tests_fuzz_fuzz_journal_SOURCES = tests/fuzz/fuzz_journal.c $(fuzz_shared)
tests_fuzz_fuzz_journal_CFLAGS = $(pie_cflags) $(PTHREAD_CFLAGS)
tests_fuzz_fuzz_journal_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_journal_LDADD = $(journal_libs) $(model_libs)
tests_fuzz_fuzz_perfdata_SOURCES = tests/fuzz/fuzz_perfdata.c $(fuzz_shared) \
	plugins/exec/perfdata.c plugins/exec/exec.h plugins/common/say.c
tests_fuzz_fuzz_perfdata_CFLAGS = $(pie_cflags) $(PTHREAD_CFLAGS)
tests_fuzz_fuzz_perfdata_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_perfdata_LDADD = $(host_libs)
tests_fuzz_fuzz_range_SOURCES = tests/fuzz/fuzz_range.c $(fuzz_shared)
tests_fuzz_fuzz_range_CFLAGS = $(pie_cflags)
tests_fuzz_fuzz_range_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_range_LDADD = $(model_libs)
# worker.c and serve.c are in the targets that give them frames
tests_fuzz_fuzz_results_SOURCES = tests/fuzz/fuzz_results.c $(fuzz_stage)
tests_fuzz_fuzz_results_CFLAGS = $(fuzz_stage_cflags)
tests_fuzz_fuzz_results_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_results_LDADD = $(belfryd_LDADD)
tests_fuzz_fuzz_rrd_SOURCES = tests/fuzz/fuzz_rrd.c $(fuzz_shared)
tests_fuzz_fuzz_rrd_CFLAGS = $(pie_cflags) $(RRD_CFLAGS)
tests_fuzz_fuzz_rrd_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_rrd_LDADD = $(recorder_libs)
tests_fuzz_fuzz_worker_SOURCES = tests/fuzz/fuzz_worker.c $(fuzz_shared) \
	core/worker/book.c core/worker/fiber.c core/worker/job.c core/worker/pool.c core/worker/sched.c
tests_fuzz_fuzz_worker_CFLAGS = $(pie_cflags) $(PTHREAD_CFLAGS)
tests_fuzz_fuzz_worker_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_worker_LDADD = $(host_libs)

EXTRA_DIST += tests/fuzz/corpus tests/fuzz/dictionaries tests/fuzz/fuzz.sh tests/fuzz/seeds.py
fuzz:
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' bash $(top_srcdir)/tests/fuzz/fuzz.sh
.PHONY: fuzz
