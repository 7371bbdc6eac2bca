# SPDX-License-Identifier: GPL-3.0-or-later
# tests: what no single room owns: the family as a whole, benches, what scripts share
EXTRA_DIST += tests/lib.sh tests/family.sh tests/fixtures/unruly.c tests/peers/notify.py tests/nagios.sh tests/lsan.supp
system_tests += \
	tests/system/family.test \
	tests/system/reload.test \
	tests/system/isolation.test \
	tests/system/restart.test \
	tests/system/supervision.test \
	tests/system/keeper.test \
	tests/system/evil.test \
	tests/system/stuck.test \
	tests/system/overload.test \
	tests/system/catalogue.test \
	tests/system/dropin.test \
	tests/system/board.test \
	tests/system/workers.test \
	tests/system/nagios.test \
	tests/system/init.test \
	tests/system/misbehave.test
EXTRA_DIST += tests/peers/misbehave.py

# benches: by hand, figures in doc/BENCH.md
EXTRA_DIST += tests/bench/null.c tests/bench/cpu.py tests/bench/family.sh tests/bench/nagios.sh \
	tests/bench/docker.sh tests/bench/engine.py tests/bench/plugins.sh tests/bench/minimal.h \
	tests/bench/minimal_http.c tests/bench/minimal_mariadb.c tests/bench/minimal_redis.c tests/bench/recorder.sh tests/bench/graph.sh \
	tests/bench/drill.sh
bench: all tests/bench/bench_recorder$(EXEEXT) tests/bench/bench_worker$(EXEEXT)
	$(AM_TESTS_ENVIRONMENT) bash $(top_srcdir)/tests/bench/family.sh
	$(AM_TESTS_ENVIRONMENT) bash $(top_srcdir)/tests/bench/nagios.sh
	$(AM_TESTS_ENVIRONMENT) bash $(top_srcdir)/tests/bench/plugins.sh
	$(AM_TESTS_ENVIRONMENT) bash $(top_srcdir)/tests/bench/docker.sh
	$(AM_TESTS_ENVIRONMENT) bash $(top_srcdir)/tests/bench/graph.sh
	$(AM_TESTS_ENVIRONMENT) bash $(top_srcdir)/tests/bench/recorder.sh
# of backups and drills; DRILL_BENCH="drill" for one of them
bench-drill: all
	$(AM_TESTS_ENVIRONMENT) bash $(top_srcdir)/tests/bench/drill.sh $(DRILL_BENCH)
.PHONY: bench bench-drill
