/* SPDX-License-Identifier: GPL-3.0-or-later */
/* resolver - getaddrinfo() on threads of its own, because it blocks: a few for a whole process, started with the first
 * name that is not an address. Used through belfry_resolve() only. */
#ifndef WORKER_RESOLVER_H
#define WORKER_RESOLVER_H

#define RESOLVER_THREADS 4u

struct resolver;

struct resolver *resolver_new(void);
/* Does not wait for a getaddrinfo() in progress: its thread frees what is left when it comes back. */
void resolver_close(struct resolver **resolver);

#endif
