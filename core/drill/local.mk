# SPDX-License-Identifier: GPL-3.0-or-later
# drill: belfry-drill, one restore drill
noinst_LIBRARIES += core/drill/libdrill.a
core_drill_libdrill_a_SOURCES = \
	core/drill/assert.c core/drill/assert.h core/drill/compare.c \
	core/drill/drill.h \
	core/drill/evidence.c \
	core/drill/fetch.c core/drill/fetch.h core/drill/fetch_panel.c core/drill/fetch_rclone.c \
	core/drill/fingerprint.c \
	core/drill/flow.c core/drill/flow.h \
	core/drill/format.c core/drill/format.h \
	core/drill/isolate.c \
	core/drill/phases.c \
	core/drill/reap.c core/drill/remote.c \
	core/drill/restore.c core/drill/restore.h core/drill/restore_mariabackup.c \
	core/drill/restore_pgbackrest.c core/drill/restore_postgres.c core/drill/restore_repository.c \
	core/drill/scratch.c \
	core/drill/server.c core/drill/server.h \
	core/drill/server_mariadb.c core/drill/server_postgres.c core/drill/server_redis.c \
	core/drill/source.c \
	core/drill/tool.c core/drill/tool.h
core_drill_libdrill_a_CFLAGS = $(pie_cflags) $(JANSSON_CFLAGS) $(CRYPTO_CFLAGS)
drill_libs = core/drill/libdrill.a core/sandbox/libsandbox.a $(model_libs) $(CRYPTO_LIBS) $(SECCOMP_LIBS)

member_PROGRAMS += belfry-drill
belfry_drill_SOURCES = core/drill/main.c
belfry_drill_CFLAGS = $(pie_cflags) $(JANSSON_CFLAGS) $(CRYPTO_CFLAGS)
belfry_drill_LDFLAGS = $(pie_ldflags)
belfry_drill_LDADD = $(drill_libs)

unit_tests += tests/unit/test_drill
tests_unit_test_drill_SOURCES = tests/unit/test_drill.c tests/tap.h
tests_unit_test_drill_CFLAGS = $(pie_cflags) $(JANSSON_CFLAGS)
tests_unit_test_drill_LDFLAGS = $(pie_ldflags)
tests_unit_test_drill_LDADD = $(model_libs)

unit_tests += tests/unit/test_scratch
tests_unit_test_scratch_SOURCES = tests/unit/test_scratch.c tests/tap.h
tests_unit_test_scratch_CFLAGS = $(pie_cflags) $(JANSSON_CFLAGS)
tests_unit_test_scratch_LDFLAGS = $(pie_ldflags)
tests_unit_test_scratch_LDADD = $(drill_libs)

unit_tests += tests/unit/test_runner
tests_unit_test_runner_SOURCES = tests/unit/test_runner.c tests/tap.h
tests_unit_test_runner_CFLAGS = $(pie_cflags) $(JANSSON_CFLAGS)
tests_unit_test_runner_LDFLAGS = $(pie_ldflags)
tests_unit_test_runner_LDADD = $(drill_libs)

system_tests += tests/system/drill.test tests/system/drill-kinds.test tests/system/drill-kill.test \
	tests/system/drill-hostile.test tests/system/drill-sources.test
EXTRA_DIST += tests/system/drill.sh tests/peers/panel_backups.py
