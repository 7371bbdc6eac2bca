# SPDX-License-Identifier: GPL-3.0-or-later
# cli: belfry, the command line; one file a verb, everything made from the verbs' tables
noinst_LIBRARIES += core/cli/libcli.a
core_cli_libcli_a_SOURCES = \
	core/cli/assemble.c \
	core/cli/board.c core/cli/board.h \
	core/cli/breaker.c \
	core/cli/check.c core/cli/check.h \
	core/cli/cli.c core/cli/cli.h \
	core/cli/complete.c \
	core/cli/condition.c \
	core/cli/config.c \
	core/cli/control.c core/cli/control.h \
	core/cli/describe.c core/cli/describe.h \
	core/cli/discover.c core/cli/discover.h \
	core/cli/detail.c \
	core/cli/export.c \
	core/cli/drill.c core/cli/drill.h core/cli/drill_report.c \
	core/cli/filter.h \
	core/cli/graph.c core/cli/graph.h core/cli/graph_list.c core/cli/graph_run.c \
	core/cli/guard.c core/cli/guard.h \
	core/cli/help.c core/cli/help.h \
	core/cli/init.c \
	core/cli/journal.c \
	core/cli/manual.c \
	core/cli/output.c \
	core/cli/parse.c core/cli/parse.h \
	core/cli/past.c core/cli/past.h \
	core/cli/places.c core/cli/places.h \
	core/cli/plugins.c \
	core/cli/plot.c core/cli/plot.h core/cli/plot_print.c \
	core/cli/proof.c core/cli/proof.h \
	core/cli/query.c \
	core/cli/recovery.c \
	core/cli/reload.c \
	core/cli/run.c \
	core/cli/series.c \
	core/cli/sheet.c core/cli/sheet.h \
	core/cli/status.c \
	core/cli/story.c core/cli/story.h \
	core/cli/term.c core/cli/term.h \
	core/cli/verb.h \
	core/cli/verbs.c
core_cli_libcli_a_CFLAGS = $(pie_cflags) $(JANSSON_CFLAGS)
cli_libs = core/cli/libcli.a core/sandbox/libsandbox.a $(host_libs) $(config_libs) $(journal_libs) $(model_libs) $(SECCOMP_LIBS)

bin_PROGRAMS += belfry
belfry_SOURCES = core/cli/main.c
belfry_CFLAGS = $(pie_cflags)
belfry_LDFLAGS = $(pie_ldflags)
belfry_LDADD = $(cli_libs)

# writes a plugin's manual page while the package is built (doc/local.mk)
noinst_PROGRAMS += pluginman
pluginman_SOURCES = core/cli/pluginman.c
pluginman_CFLAGS = $(pie_cflags) $(JANSSON_CFLAGS)
pluginman_LDFLAGS = $(pie_ldflags)
pluginman_LDADD = $(cli_libs)

bashcompletion_DATA = core/cli/completion/belfry
EXTRA_DIST += core/cli/completion/belfry

unit_tests += tests/unit/test_cli
tests_unit_test_cli_SOURCES = tests/unit/test_cli.c tests/tap.h
tests_unit_test_cli_CFLAGS = $(pie_cflags) $(JANSSON_CFLAGS)
tests_unit_test_cli_LDFLAGS = $(pie_ldflags)
tests_unit_test_cli_LDADD = $(cli_libs)
unit_tests += tests/unit/test_plot
tests_unit_test_plot_SOURCES = tests/unit/test_plot.c tests/tap.h
tests_unit_test_plot_CFLAGS = $(pie_cflags) $(JANSSON_CFLAGS)
tests_unit_test_plot_LDFLAGS = $(pie_ldflags)
tests_unit_test_plot_LDADD = $(cli_libs)
system_tests += tests/system/cli.test tests/system/check.test tests/system/guide.test
EXTRA_DIST += tests/peers/odd_servers.py tests/peers/control.py tests/system/cli_board.json
