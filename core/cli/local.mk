# SPDX-License-Identifier: GPL-3.0-or-later
# cli: belfry, the command line; one file a verb, everything made from the verbs' tables
bin_PROGRAMS += belfry
cli_sources = \
	core/cli/assemble.c \
	core/cli/board.c core/cli/board.h \
	core/cli/breaker.c \
	core/cli/check.c core/cli/check.h \
	core/cli/cli.h \
	core/cli/complete.c \
	core/cli/condition.c \
	core/cli/config.c \
	core/cli/control.c core/cli/control.h \
	core/cli/describe.c core/cli/describe.h \
	core/cli/discover.c core/cli/discover.h \
	core/cli/detail.c \
	core/cli/graph.c \
	core/cli/guard.c core/cli/guard.h \
	core/cli/help.c core/cli/help.h \
	core/cli/init.c \
	core/cli/journal.c \
	core/cli/manual.c \
	core/cli/output.c \
	core/cli/parse.c core/cli/parse.h \
	core/cli/places.c core/cli/places.h \
	core/cli/plugins.c \
	core/cli/query.c \
	core/cli/reload.c \
	core/cli/run.c \
	core/cli/status.c \
	core/cli/story.c core/cli/story.h \
	core/cli/term.c core/cli/term.h \
	core/cli/verb.h \
	core/cli/verbs.c
belfry_SOURCES = core/cli/main.c $(cli_sources)
belfry_CFLAGS = $(pie_cflags) $(JANSSON_CFLAGS)
belfry_LDFLAGS = $(pie_ldflags)
belfry_LDADD = $(host_libs) $(config_libs) $(journal_libs) $(model_libs)

bashcompletion_DATA = core/cli/completion/belfry
EXTRA_DIST += core/cli/completion/belfry
