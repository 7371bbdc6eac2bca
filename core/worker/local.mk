# SPDX-License-Identifier: GPL-3.0-or-later
# worker: libhost (loading a plugin and being its host) and belfry-worker (coroutines, threads, describing files)
noinst_LIBRARIES += core/worker/libhost.a
core_worker_libhost_a_SOURCES = \
	core/worker/elf.c core/worker/elf.h \
	core/worker/host.h core/worker/host_poll.c \
	core/worker/kept.c \
	core/worker/load.c \
	core/worker/probe.c \
	core/worker/report.c \
	core/worker/resolver.c core/worker/resolver.h \
	core/worker/run.c core/worker/run.h \
	core/worker/values.c core/worker/values.h
core_worker_libhost_a_CFLAGS = $(pie_cflags) $(PTHREAD_CFLAGS)
# what a program that loads plugins links
host_libs = core/worker/libhost.a $(model_libs) $(DL_LIBS) $(PTHREAD_LIBS)

member_PROGRAMS += belfry-worker
belfry_worker_SOURCES = \
	core/worker/book.c core/worker/book.h \
	core/worker/describe.c core/worker/describe.h \
	core/worker/fiber.c core/worker/fiber.h \
	core/worker/job.c core/worker/job.h \
	core/worker/pool.c core/worker/pool.h \
	core/worker/sched.c core/worker/sched.h \
	core/worker/serve.c core/worker/serve.h \
	core/worker/worker.c
belfry_worker_CFLAGS = $(pie_cflags) $(PTHREAD_CFLAGS)
belfry_worker_LDFLAGS = $(pie_ldflags)
belfry_worker_LDADD = core/sandbox/libsandbox.a $(host_libs) $(SECCOMP_LIBS)

# plugins to test with: modules that are never installed
fixture_ldflags = $(AM_LDFLAGS) -module -avoid-version -shared -rpath /nowhere
check_LTLIBRARIES += tests/fixtures/evil.la tests/fixtures/evil-blocking.la tests/fixtures/null.la
tests_fixtures_evil_la_SOURCES = tests/fixtures/evil.c tests/fixtures/evil_allowed.c tests/fixtures/evil.h
tests_fixtures_evil_la_CFLAGS = $(AM_CFLAGS) $(PTHREAD_CFLAGS)
tests_fixtures_evil_la_LDFLAGS = $(fixture_ldflags)
tests_fixtures_evil_blocking_la_SOURCES = tests/fixtures/evil.c tests/fixtures/evil_allowed.c tests/fixtures/evil.h
tests_fixtures_evil_blocking_la_CFLAGS = $(tests_fixtures_evil_la_CFLAGS) \
	-DEVIL_NAME='"evil-blocking"' -DEVIL_BLOCKING=true
tests_fixtures_evil_blocking_la_LDFLAGS = $(fixture_ldflags)
tests_fixtures_null_la_SOURCES = tests/fixtures/null.c
tests_fixtures_null_la_LDFLAGS = $(fixture_ldflags)
# one file, one mistake a module
check_LTLIBRARIES += tests/fixtures/bad-magic.la
tests_fixtures_bad_magic_la_SOURCES = tests/fixtures/bad.c
tests_fixtures_bad_magic_la_CFLAGS = $(AM_CFLAGS) -DBAD_NAME=bad-magic -DBAD_MAGIC=0x12345678u
tests_fixtures_bad_magic_la_LDFLAGS = $(fixture_ldflags)
check_LTLIBRARIES += tests/fixtures/bad-abi.la
tests_fixtures_bad_abi_la_SOURCES = tests/fixtures/bad.c
tests_fixtures_bad_abi_la_CFLAGS = $(AM_CFLAGS) -DBAD_NAME=bad-abi -DBAD_ABI=99u
tests_fixtures_bad_abi_la_LDFLAGS = $(fixture_ldflags)
check_LTLIBRARIES += tests/fixtures/bad-size.la
tests_fixtures_bad_size_la_SOURCES = tests/fixtures/bad.c
tests_fixtures_bad_size_la_CFLAGS = $(AM_CFLAGS) -DBAD_NAME=bad-size -DBAD_SIZE=24u
tests_fixtures_bad_size_la_LDFLAGS = $(fixture_ldflags)
check_LTLIBRARIES += tests/fixtures/bad-option-size.la
tests_fixtures_bad_option_size_la_SOURCES = tests/fixtures/bad.c
tests_fixtures_bad_option_size_la_CFLAGS = $(AM_CFLAGS) -DBAD_NAME=bad-option-size -DBAD_OPTION_SIZE=3u
tests_fixtures_bad_option_size_la_LDFLAGS = $(fixture_ldflags)
check_LTLIBRARIES += tests/fixtures/bad-nosymbol.la
tests_fixtures_bad_nosymbol_la_SOURCES = tests/fixtures/bad.c
tests_fixtures_bad_nosymbol_la_CFLAGS = $(AM_CFLAGS) -DBAD_NAME=bad-nosymbol -DBAD_NO_SYMBOL
tests_fixtures_bad_nosymbol_la_LDFLAGS = $(fixture_ldflags)
check_LTLIBRARIES += tests/fixtures/bad-reserved.la
tests_fixtures_bad_reserved_la_SOURCES = tests/fixtures/bad.c
tests_fixtures_bad_reserved_la_CFLAGS = $(AM_CFLAGS) -DBAD_NAME=bad-reserved -DBAD_RESERVED
tests_fixtures_bad_reserved_la_LDFLAGS = $(fixture_ldflags)
check_LTLIBRARIES += tests/fixtures/bad-huge.la
tests_fixtures_bad_huge_la_SOURCES = tests/fixtures/bad.c
tests_fixtures_bad_huge_la_CFLAGS = $(AM_CFLAGS) -DBAD_NAME=bad-huge -DBAD_HUGE
tests_fixtures_bad_huge_la_LDFLAGS = $(fixture_ldflags)
check_LTLIBRARIES += tests/fixtures/bad-unterminated.la
tests_fixtures_bad_unterminated_la_SOURCES = tests/fixtures/bad.c
tests_fixtures_bad_unterminated_la_CFLAGS = $(AM_CFLAGS) -DBAD_NAME=bad-unterminated -DBAD_UNTERMINATED
tests_fixtures_bad_unterminated_la_LDFLAGS = $(fixture_ldflags)
check_LTLIBRARIES += tests/fixtures/bad-view-size.la
tests_fixtures_bad_view_size_la_SOURCES = tests/fixtures/bad.c
tests_fixtures_bad_view_size_la_CFLAGS = $(AM_CFLAGS) -DBAD_NAME=bad-view-size -DBAD_VIEW_SIZE=3u
tests_fixtures_bad_view_size_la_LDFLAGS = $(fixture_ldflags)
check_LTLIBRARIES += tests/fixtures/bad-view-unknown.la
tests_fixtures_bad_view_unknown_la_SOURCES = tests/fixtures/bad.c
tests_fixtures_bad_view_unknown_la_CFLAGS = $(AM_CFLAGS) -DBAD_NAME=bad-view-unknown -DBAD_VIEW='{"bad","Title","used fre",.limit=0}'
tests_fixtures_bad_view_unknown_la_LDFLAGS = $(fixture_ldflags)
check_LTLIBRARIES += tests/fixtures/bad-view-units.la
tests_fixtures_bad_view_units_la_SOURCES = tests/fixtures/bad.c
tests_fixtures_bad_view_units_la_CFLAGS = $(AM_CFLAGS) -DBAD_NAME=bad-view-units -DBAD_VIEW='{"bad","Title","used sh*",.limit=0}'
tests_fixtures_bad_view_units_la_LDFLAGS = $(fixture_ldflags)
check_LTLIBRARIES += tests/fixtures/bad-crash.la
tests_fixtures_bad_crash_la_SOURCES = tests/fixtures/bad.c
tests_fixtures_bad_crash_la_CFLAGS = $(AM_CFLAGS) -DBAD_NAME=bad-crash -DBAD_CONSTRUCTOR=crash
tests_fixtures_bad_crash_la_LDFLAGS = $(fixture_ldflags)
check_LTLIBRARIES += tests/fixtures/bad-hang.la
tests_fixtures_bad_hang_la_SOURCES = tests/fixtures/bad.c
tests_fixtures_bad_hang_la_CFLAGS = $(AM_CFLAGS) -DBAD_NAME=bad-hang -DBAD_CONSTRUCTOR=hang
tests_fixtures_bad_hang_la_LDFLAGS = $(fixture_ldflags)
check_LTLIBRARIES += tests/fixtures/bad-spin.la
tests_fixtures_bad_spin_la_SOURCES = tests/fixtures/bad.c
tests_fixtures_bad_spin_la_CFLAGS = $(AM_CFLAGS) -DBAD_NAME=bad-spin -DBAD_CONSTRUCTOR=spin
tests_fixtures_bad_spin_la_LDFLAGS = $(fixture_ldflags)
check_LTLIBRARIES += tests/fixtures/bad-leave.la
tests_fixtures_bad_leave_la_SOURCES = tests/fixtures/bad.c
tests_fixtures_bad_leave_la_CFLAGS = $(AM_CFLAGS) -DBAD_NAME=bad-leave -DBAD_CONSTRUCTOR=leave
tests_fixtures_bad_leave_la_LDFLAGS = $(fixture_ldflags)
check_LTLIBRARIES += tests/fixtures/bad-lie.la
tests_fixtures_bad_lie_la_SOURCES = tests/fixtures/bad.c
tests_fixtures_bad_lie_la_CFLAGS = $(AM_CFLAGS) -DBAD_NAME=bad-lie -DBAD_CONSTRUCTOR=lie
tests_fixtures_bad_lie_la_LDFLAGS = $(fixture_ldflags)
check_LTLIBRARIES += tests/fixtures/bad-print.la
tests_fixtures_bad_print_la_SOURCES = tests/fixtures/bad.c
tests_fixtures_bad_print_la_CFLAGS = $(AM_CFLAGS) -DBAD_NAME=bad-print -DBAD_CONSTRUCTOR=print
tests_fixtures_bad_print_la_LDFLAGS = $(fixture_ldflags)
check_LTLIBRARIES += tests/fixtures/bad-spawn.la
tests_fixtures_bad_spawn_la_SOURCES = tests/fixtures/bad.c
tests_fixtures_bad_spawn_la_CFLAGS = $(AM_CFLAGS) -DBAD_NAME=bad-spawn -DBAD_CONSTRUCTOR=spawn
tests_fixtures_bad_spawn_la_LDFLAGS = $(fixture_ldflags)

unit_tests += tests/unit/test_worker
tests_unit_test_worker_SOURCES = tests/unit/test_worker.c tests/fixtures/peer.c tests/fixtures/peer.h tests/tap.h
tests_unit_test_worker_CFLAGS = $(pie_cflags)
tests_unit_test_worker_LDFLAGS = $(pie_ldflags)
tests_unit_test_worker_LDADD = $(model_libs)

unit_tests += tests/unit/test_worker_deaths
tests_unit_test_worker_deaths_SOURCES = tests/unit/test_worker_deaths.c tests/fixtures/peer.c tests/fixtures/peer.h \
	tests/tap.h
tests_unit_test_worker_deaths_CFLAGS = $(pie_cflags)
tests_unit_test_worker_deaths_LDFLAGS = $(pie_ldflags)
tests_unit_test_worker_deaths_LDADD = $(model_libs)

unit_tests += tests/unit/test_worker_host
tests_unit_test_worker_host_SOURCES = tests/unit/test_worker_host.c tests/fixtures/peer.c tests/fixtures/peer.h tests/tap.h
tests_unit_test_worker_host_CFLAGS = $(pie_cflags) $(PTHREAD_CFLAGS)
tests_unit_test_worker_host_LDFLAGS = $(pie_ldflags)
tests_unit_test_worker_host_LDADD = $(host_libs)

check_LTLIBRARIES += tests/fixtures/file-age.la
tests_fixtures_file_age_la_SOURCES = plugins/file-age.c
tests_fixtures_file_age_la_CFLAGS = $(AM_CFLAGS)
tests_fixtures_file_age_la_LDFLAGS = $(fixture_ldflags)

check_PROGRAMS += tests/bench/bench_worker
tests_bench_bench_worker_SOURCES = tests/bench/bench_worker.c tests/fixtures/peer.c tests/fixtures/peer.h
tests_bench_bench_worker_CFLAGS = $(pie_cflags)
tests_bench_bench_worker_LDFLAGS = $(pie_ldflags)
tests_bench_bench_worker_LDADD = $(model_libs)

EXTRA_DIST += doc/worker.md doc/adr/0010-coroutines-on-epoll.md doc/adr/0011-blame.md
