/* SPDX-License-Identifier: GPL-3.0-or-later */
/* resolver - names to addresses without blocking the other runs.
 *
 * Addresses and socket paths are answered at once. A name becomes a query in the queue of a few threads; the run waits
 * for the query's eventfd with its ordinary wait, so that coroutines, threads and the command line need nothing of
 * their own, and the deadline ends the wait. Query and resolver belong to whoever holds them last: a run that gave up
 * leaves the query to its thread, and a host that is gone leaves the resolver to its threads. */
#include "core/worker/resolver.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/worker/run.h"

#define QUERY_ADDRESSES_MAX 64u
#define QUERY_HOST_MAX 256u
#define QUERY_PORT_MAX 8u
#define THREAD_STACK_BYTES (256u << 10)

struct query {
    struct query *next;
    atomic_int holders; /* the run and the queue */
    int done_fd;
    char host[QUERY_HOST_MAX], port[QUERY_PORT_MAX];
    struct addrinfo hints;
    int rc; /* of getaddrinfo() */
    size_t count;
    struct belfry_address addresses[QUERY_ADDRESSES_MAX];
};

struct resolver {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct query *first, **last;
    unsigned threads, idle;
    bool closed;
    unsigned holders; /* the host and every thread */
};

static void drop_query(struct query *query)
{
    if (atomic_fetch_sub(&query->holders, 1) != 1)
        return;
    close(query->done_fd);
    free(query);
}

/* Called with the lock held; gives it back. */
static void drop_resolver(struct resolver *resolver)
{
    bool last = --resolver->holders == 0;
    pthread_mutex_unlock(&resolver->lock);
    if (!last)
        return;
    while (resolver->first != NULL) {
        struct query *query = resolver->first;
        resolver->first = query->next;
        drop_query(query);
    }
    pthread_cond_destroy(&resolver->work);
    pthread_mutex_destroy(&resolver->lock);
    free(resolver);
}

struct resolver *resolver_new(void)
{
    struct resolver *resolver = heap_alloc(sizeof(*resolver));
    pthread_mutex_init(&resolver->lock, NULL);
    pthread_cond_init(&resolver->work, NULL);
    resolver->last = &resolver->first;
    resolver->holders = 1;
    return resolver;
}

void resolver_close(struct resolver **at)
{
    struct resolver *resolver = *at;
    *at = NULL;
    if (resolver == NULL)
        return;
    pthread_mutex_lock(&resolver->lock);
    resolver->closed = true;
    pthread_cond_broadcast(&resolver->work);
    drop_resolver(resolver);
}

static size_t copy_addresses(const struct addrinfo *found, struct belfry_address *out, size_t max)
{
    size_t n = 0;
    for (const struct addrinfo *at = found; at != NULL && n < max; at = at->ai_next) {
        if (at->ai_addrlen > sizeof(out->address))
            continue;
        out[n] = (struct belfry_address){ .family = at->ai_family, .length = at->ai_addrlen };
        memcpy(&out[n++].address, at->ai_addr, at->ai_addrlen);
    }
    return n;
}

static void answer_query(struct query *query)
{
    struct addrinfo *found = NULL;
    query->rc = getaddrinfo(query->host, query->port, &query->hints, &found);
    if (query->rc == 0) {
        query->count = copy_addresses(found, query->addresses, QUERY_ADDRESSES_MAX);
        freeaddrinfo(found);
    }
    eventfd_write(query->done_fd, 1);
}

static void *serve_queries(void *argument)
{
    struct resolver *resolver = argument;
    pthread_mutex_lock(&resolver->lock);
    while (!resolver->closed) {
        struct query *query = resolver->first;
        if (query == NULL) {
            resolver->idle++;
            pthread_cond_wait(&resolver->work, &resolver->lock);
            resolver->idle--;
            continue;
        }
        resolver->first = query->next;
        if (resolver->first == NULL)
            resolver->last = &resolver->first;
        pthread_mutex_unlock(&resolver->lock);
        if (atomic_load(&query->holders) == 2) /* else nobody waits any more */
            answer_query(query);
        drop_query(query);
        pthread_mutex_lock(&resolver->lock);
    }
    drop_resolver(resolver);
    return NULL;
}

/* Called with the lock held. Without any thread at all there is nobody to answer: false. */
static bool start_thread(struct resolver *resolver)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
    int rc = pthread_create(&thread, &attributes, serve_queries, resolver);
    pthread_attr_destroy(&attributes);
    if (rc == 0) {
        resolver->threads++;
        resolver->holders++;
    }
    return resolver->threads > 0;
}

static bool enqueue(struct resolver *resolver, struct query *query)
{
    pthread_mutex_lock(&resolver->lock);
    bool served = resolver->idle > 0 || resolver->threads == RESOLVER_THREADS || start_thread(resolver);
    if (served) {
        *resolver->last = query;
        resolver->last = &query->next;
        pthread_cond_signal(&resolver->work);
    }
    pthread_mutex_unlock(&resolver->lock);
    return served;
}

/* ---- belfry_resolve() ---------------------------------------------------------------------------------------- */

static int say(struct run *run, const char **why, int code, const char *host, const char *reason)
{
    char text[QUERY_HOST_MAX + 128];
    snprintf(text, sizeof(text), "can't resolve '%.255s': %s", host, reason);
    if (why != NULL)
        *why = run_line(run, RESULT_TEXT_MAX, text);
    errno = -code;
    return code;
}

static int say_gai(struct run *run, const char **why, const char *host, int rc)
{
    return say(run, why, rc == EAI_SYSTEM || rc == EAI_AGAIN ? -EAGAIN : -ENOENT, host, gai_strerror(rc));
}

static int socket_path(struct run *run, const char *path, struct belfry_address *out, const char **why)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t n = strnlen(path, sizeof(address.sun_path));
    if (n == sizeof(address.sun_path))
        return say(run, why, -ENAMETOOLONG, path, "socket path too long");
    memcpy(address.sun_path, path, n);
    memset(out, 0, sizeof(*out));
    out->family = AF_UNIX;
    out->length = (socklen_t)sizeof(address);
    memcpy(&out->address, &address, sizeof(address));
    return 1;
}

static struct query *make_query(const char *host, const char *port, const struct addrinfo *hints)
{
    struct query *query = heap_alloc(sizeof(*query));
    query->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (query->done_fd < 0) {
        free(query);
        return NULL;
    }
    snprintf(query->host, sizeof(query->host), "%s", host);
    snprintf(query->port, sizeof(query->port), "%s", port);
    query->hints = *hints;
    atomic_store(&query->holders, 2);
    return query;
}

static int wait_answer(struct run *run, struct query *query)
{
    struct pollfd done = { .fd = query->done_fd, .events = POLLIN };
    if (!enqueue(run->resolver, query)) {
        drop_query(query);
        return -EAGAIN;
    }
    int rc = run->host->wait(run, &done, 1, run->deadline_ns);
    return rc > 0 ? 0 : rc == 0 ? -ETIMEDOUT : rc;
}

static int ask(struct run *run, const char *host, const char *port, const struct addrinfo *hints,
               struct belfry_address *out, size_t max, const char **why)
{
    struct query *query = make_query(host, port, hints);
    if (query == NULL)
        return say(run, why, -EMFILE, host, "no descriptor left");
    int rc = wait_answer(run, query);
    int gai = 0;
    if (rc == 0 && (gai = query->rc) == 0) {
        rc = (int)(query->count < max ? query->count : max);
        memcpy(out, query->addresses, (size_t)rc * sizeof(*out));
    }
    drop_query(query);
    if (gai != 0)
        return say_gai(run, why, host, gai);
    if (rc < 0)
        return say(run, why, rc, host, rc == -ETIMEDOUT ? "no answer in time" : error_text(rc));
    return rc;
}

static int check_question(const char *host, const char *port)
{
    if (host == NULL || host[0] == '\0' || strnlen(host, QUERY_HOST_MAX) == QUERY_HOST_MAX)
        return EAI_NONAME;
    return port != NULL && strnlen(port, QUERY_PORT_MAX) == QUERY_PORT_MAX ? EAI_SERVICE : 0;
}

int resolve_address(struct belfry_probe *p, const char *host, const char *port, int family, int socktype,
                    struct belfry_address *out, size_t max, const char **why)
{
    struct run *run = run_of(p);
    if (max == 0)
        return say(run, why, -EINVAL, host ? host : "", "no room for an address");
    if (host != NULL && host[0] == '/' && (family == AF_UNSPEC || family == AF_UNIX))
        return socket_path(run, host, out, why);
    int rc = check_question(host, port);
    if (rc != 0)
        return say_gai(run, why, host ? host : "", rc);
    struct addrinfo hints = { .ai_flags = AI_NUMERICSERV | AI_NUMERICHOST,
                              .ai_family = family,
                              .ai_socktype = socktype };
    struct addrinfo *found = NULL;
    port = port ? port : "0";
    rc = getaddrinfo(host, port, &hints, &found);
    if (rc == 0) {
        size_t n = copy_addresses(found, out, max);
        freeaddrinfo(found);
        return (int)n;
    }
    hints.ai_flags = AI_NUMERICSERV;
    if (rc != EAI_NONAME || run->resolver == NULL)
        return say_gai(run, why, host, rc);
    return ask(run, host, port, &hints, out, max, why);
}
