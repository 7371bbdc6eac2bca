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
	core/worker/describe.c core/worker/describe.h \
	core/worker/fiber.c core/worker/fiber.h \
	core/worker/job.c core/worker/job.h \
	core/worker/ledger.c core/worker/ledger.h \
	core/worker/pool.c core/worker/pool.h \
	core/worker/sched.c core/worker/sched.h \
	core/worker/serve.c core/worker/serve.h \
	core/worker/worker.c
belfry_worker_CFLAGS = $(pie_cflags) $(PTHREAD_CFLAGS)
belfry_worker_LDFLAGS = $(pie_ldflags)
belfry_worker_LDADD = $(host_libs)
