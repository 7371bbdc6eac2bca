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
