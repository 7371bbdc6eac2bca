# SPDX-License-Identifier: GPL-3.0-or-later
# doc: manual pages; belfry(1) and the plugins' pages are written by the programs just built, from their own tables
EXTRA_DIST += doc/RELIABILITY.md doc/reliability-catalogue.md doc/ARCHITECTURE.md doc/BENCH.md doc/pictures/soak.svg doc/adr/README.md \
	doc/adr/0001-events-before-state.md doc/adr/0002-catalog-by-process.md doc/adr/0003-plugins-from-memory.md \
	doc/adr/0004-metrics-growing-series.md doc/adr/0020-rrd-header-first.md doc/adr/0021-data-source-names.md \
	doc/adr/0022-retired-metrics-stay.md doc/adr/0023-views-beside-the-file.md doc/adr/0026-history-handed-over.md \
	doc/adr/0024-renamed-metrics.md doc/adr/0025-nothing-lost-by-a-kill.md doc/adr/0027-baselines.md doc/adr/0060-drills.md doc/adr/0061-recovery.md
dist_doc_DATA = doc/control.md doc/drills.md doc/journal-format.md doc/plugin-guide.md doc/recovery.md doc/time-series.md
dist_man_MANS += doc/belfryd.8
nodist_man_MANS += doc/belfry.1
nodist_man7_MANS = $(plugin_pages)
plugin_pages = $(patsubst plugins/%.la,doc/belfry-%.7,$(plugin_LTLIBRARIES))
CLEANFILES += doc/belfry.1 $(plugin_pages)

doc/belfry.1: belfry$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) doc && ./belfry$(EXEEXT) --man > $@.tmp && mv -f $@.tmp $@
doc/belfry-%.7: plugins/%.la pluginman$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) doc && ./pluginman$(EXEEXT) plugins/.libs/$*.so > $@.tmp && mv -f $@.tmp $@

# the pictures of README.md, by hand: needs redis-server, python3 and script
EXTRA_DIST += doc/pictures/make.sh doc/pictures/terminal.py doc/pictures/board.svg doc/pictures/graph-light.svg doc/pictures/graph-dark.svg
pictures: all tests/peers/feed_recorder
	$(AM_TESTS_ENVIRONMENT) bash $(top_srcdir)/doc/pictures/make.sh
.PHONY: pictures

# the graphs of GALLERY.md, by hand, half an hour: needs redis-server, mariadbd, nginx, curl and python3
EXTRA_DIST += doc/GALLERY.md doc/gallery.sh doc/gallery_weeks.sh doc/gallery
gallery: all tests/peers/feed_samples
	$(AM_TESTS_ENVIRONMENT) bash $(top_srcdir)/doc/gallery.sh
.PHONY: gallery
