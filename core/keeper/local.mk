# SPDX-License-Identifier: GPL-3.0-or-later
# keeper: belfryd, the loop that joins configuration, schedule, workers, journal and control socket
sbin_PROGRAMS += belfryd
# fuzz targets put the other two on a stage of their own
keeper_parts = \
	core/keeper/again.c \
	core/keeper/baseline.c \
	core/keeper/blame.c \
	core/keeper/child.c core/keeper/child.h \
	core/keeper/control.c \
	core/keeper/dispatch.c \
	core/keeper/drill.c core/keeper/drill.h core/keeper/drill_command.c core/keeper/drill_state.c \
	core/keeper/errand.c core/keeper/errand.h \
	core/keeper/guard.c \
	core/keeper/keep.c \
	core/keeper/keeper.h \
	core/keeper/life.c core/keeper/life.h \
	core/keeper/link.c core/keeper/link.h \
	core/keeper/notify.c \
	core/keeper/orphan.c \
	core/keeper/panic.c \
	core/keeper/pool.c core/keeper/pool.h \
	core/keeper/record.c \
	core/keeper/recovery.c core/keeper/recovery.h core/keeper/recovery_command.c core/keeper/recovery_state.c \
	core/keeper/recovery_step.c \
	core/keeper/reload.c \
	core/keeper/setup.c \
	core/keeper/trouble.c core/keeper/trouble.h \
	core/keeper/view.c core/keeper/view.h
belfryd_SOURCES = core/keeper/keeper.c core/keeper/worker.c $(keeper_parts)
belfryd_CFLAGS = $(pie_cflags) $(UV_CFLAGS) $(JANSSON_CFLAGS) $(CRYPTO_CFLAGS)
# the names of functions, for the backtrace of a crash
belfryd_LDFLAGS = $(pie_ldflags) -Wl,--export-dynamic
belfryd_LDADD = core/sandbox/libsandbox.a $(schedule_libs) $(journal_libs) $(config_libs) $(model_libs) $(UV_LIBS) $(CRYPTO_LIBS) $(SECCOMP_LIBS)

# notes down the journal's head, where that may take its time
member_PROGRAMS += belfry-anchor
belfry_anchor_SOURCES = core/keeper/anchor.c core/keeper/anchor_post.c core/keeper/anchor_post.h
belfry_anchor_CFLAGS = $(pie_cflags) $(CURL_CFLAGS)
belfry_anchor_LDFLAGS = $(pie_ldflags)
belfry_anchor_LDADD = core/sandbox/libsandbox.a $(journal_libs) $(SECCOMP_LIBS) $(CURL_LIBS)

unit_tests += tests/unit/test_life
EXTRA_DIST += doc/adr/0043-again-from-the-disk.md
tests_unit_test_life_SOURCES = tests/unit/test_life.c core/keeper/life.c core/keeper/life.h tests/tap.h
tests_unit_test_life_CFLAGS = $(pie_cflags)
tests_unit_test_life_LDFLAGS = $(pie_ldflags)

system_tests += tests/system/anchor.test
EXTRA_DIST += tests/peers/webhook.py

unit_tests += tests/unit/test_link
tests_unit_test_link_SOURCES = tests/unit/test_link.c core/keeper/link.c core/keeper/link.h tests/tap.h
tests_unit_test_link_CFLAGS = $(pie_cflags) $(UV_CFLAGS)
tests_unit_test_link_LDFLAGS = $(pie_ldflags)
tests_unit_test_link_LDADD = $(base_libs) $(UV_LIBS)
