# SPDX-License-Identifier: GPL-3.0-or-later
# sandbox: what a member of the family may ask of the kernel: seccomp and Landlock
noinst_LIBRARIES += core/sandbox/libsandbox.a
core_sandbox_libsandbox_a_SOURCES = \
	core/sandbox/calls.c \
	core/sandbox/layers.h \
	core/sandbox/paths.c \
	core/sandbox/sandbox.c core/sandbox/sandbox.h
core_sandbox_libsandbox_a_CFLAGS = $(pie_cflags) $(SECCOMP_CFLAGS)
sandbox_libs = core/sandbox/libsandbox.a $(base_libs) $(SECCOMP_LIBS)

# one file, one need a module
check_LTLIBRARIES += tests/fixtures/forbidden.la tests/fixtures/forbidden-network.la tests/fixtures/forbidden-files.la \
	tests/fixtures/forbidden-processes.la
tests_fixtures_forbidden_la_SOURCES = tests/fixtures/forbidden.c
tests_fixtures_forbidden_la_CFLAGS = $(AM_CFLAGS) -DFORBIDDEN_NAME='"forbidden"'
tests_fixtures_forbidden_la_LDFLAGS = $(fixture_ldflags)
tests_fixtures_forbidden_network_la_SOURCES = tests/fixtures/forbidden.c
tests_fixtures_forbidden_network_la_CFLAGS = $(AM_CFLAGS) -DFORBIDDEN_NAME='"forbidden-network"' \
	-DFORBIDDEN_NEEDS=BELFRY_NEEDS_NETWORK
tests_fixtures_forbidden_network_la_LDFLAGS = $(fixture_ldflags)
tests_fixtures_forbidden_files_la_SOURCES = tests/fixtures/forbidden.c
tests_fixtures_forbidden_files_la_CFLAGS = $(AM_CFLAGS) -DFORBIDDEN_NAME='"forbidden-files"' \
	-DFORBIDDEN_NEEDS=BELFRY_NEEDS_FILES
tests_fixtures_forbidden_files_la_LDFLAGS = $(fixture_ldflags)
tests_fixtures_forbidden_processes_la_SOURCES = tests/fixtures/forbidden.c
tests_fixtures_forbidden_processes_la_CFLAGS = $(AM_CFLAGS) -DFORBIDDEN_NAME='"forbidden-processes"' \
	-DFORBIDDEN_NEEDS=BELFRY_NEEDS_PROCESSES
tests_fixtures_forbidden_processes_la_LDFLAGS = $(fixture_ldflags)

unit_tests += tests/unit/test_sandbox
tests_unit_test_sandbox_SOURCES = tests/unit/test_sandbox.c tests/fixtures/peer.c tests/fixtures/peer.h tests/tap.h
tests_unit_test_sandbox_CFLAGS = $(pie_cflags)
tests_unit_test_sandbox_LDFLAGS = $(pie_ldflags)
tests_unit_test_sandbox_LDADD = $(model_libs)

system_tests += tests/system/sandbox.test
EXTRA_DIST += doc/adr/0042-sandbox-by-need.md doc/RELIABILITY.md
