/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pump - libcurl's multi interface on belfry_wait_many(): libcurl tells its sockets and its timer by callbacks, serve()
 * waits for them and calls curl_multi_socket_action().
 *
 * A multi handle is large (hash tables of a thousand lists, a pair of sockets): to make and free one costs as much as
 * the rest of a small request. So those that hold no connection any more are put aside for later runs, of any check;
 * the names they still know are told anew by every transfer that needs one (aim.c). */
#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "plugins/common/now.h"
#include "plugins/common/transfer.h"

#define FAR_MS (24 * 3600 * 1000)
#define SPARE_MAX 128

/* ---- spare handles ------------------------------------------------------------------------------------------- */

/* Runs may be on threads: whoever exchanges a place owns what was in it. */
static _Atomic(CURLM *) spare[SPARE_MAX];

static CURLM *take_spare(void)
{
    for (size_t i = 0; i < SPARE_MAX; i++) {
        CURLM *multi = atomic_load_explicit(&spare[i], memory_order_relaxed) ? atomic_exchange(&spare[i], NULL) : NULL;
        if (multi)
            return multi;
    }
    return curl_multi_init();
}

/* False when there are enough. */
static bool put_aside(CURLM *multi)
{
    for (size_t i = 0; i < SPARE_MAX; i++) {
        CURLM *none = NULL;
        if (atomic_compare_exchange_strong(&spare[i], &none, multi))
            return true;
    }
    return false;
}

/* ---- libcurl's sockets and timer ----------------------------------------------------------------------------- */

static void forget_socket(struct pump *pump, curl_socket_t fd)
{
    for (size_t i = 0; i < pump->socket_count; i++)
        if (pump->sockets[i].fd == fd) {
            pump->sockets[i] = pump->sockets[--pump->socket_count];
            return;
        }
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *socket_user)
{
    struct pump *pump = user;
    (void)easy;
    (void)socket_user;
    forget_socket(pump, fd);
    if (what == CURL_POLL_REMOVE || pump->socket_count == PUMP_SOCKETS_MAX)
        return 0;
    short events = (short)((what & CURL_POLL_IN ? POLLIN : 0) | (what & CURL_POLL_OUT ? POLLOUT : 0));
    pump->sockets[pump->socket_count++] = (struct pollfd){ fd, events, 0 };
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *user)
{
    struct pump *pump = user;
    (void)multi;
    pump->timer_at = timeout_ms < 0 ? -1 : now_s() + (double)timeout_ms / 1000;
    return 0;
}

bool pump_open(struct pump *pump, struct belfry_probe *p)
{
    *pump = (struct pump){ .p = p, .multi = take_spare(), .timer_at = -1 };
    if (!pump->multi)
        return false;
    curl_multi_setopt(pump->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(pump->multi, CURLMOPT_SOCKETDATA, pump);
    curl_multi_setopt(pump->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(pump->multi, CURLMOPT_TIMERDATA, pump);
    return true;
}

void pump_close(struct pump *pump)
{
    if (pump->multi)
        curl_multi_cleanup(pump->multi);
    pump->multi = NULL;
}

void pump_give_back(struct pump *pump)
{
    bool empty = pump->multi && pump->error == 0 && pump->under_way == 0 && pump->socket_count == 0;
    if (empty && put_aside(pump->multi))
        pump->multi = NULL;
    pump_close(pump);
}

static int64_t pause_ms(const struct pump *pump)
{
    if (pump->timer_at < 0)
        return -1;
    double pause = ceil((pump->timer_at - now_s()) * 1000);
    return pause < 0 ? 0 : pause > FAR_MS ? FAR_MS : (int64_t)pause;
}

/* Waits once and lets libcurl work. A negative code ends everything that is under way. */
static int serve(struct pump *pump)
{
    struct pollfd polls[PUMP_SOCKETS_MAX];
    size_t count = pump->socket_count;
    int running, ready;
    memcpy(polls, pump->sockets, count * sizeof polls[0]);
    ready = belfry_wait_many(pump->p, polls, count, pause_ms(pump));
    if (ready < 0)
        return ready;
    for (size_t i = 0; i < count && ready > 0; i++) {
        int events = (polls[i].revents & POLLIN ? CURL_CSELECT_IN : 0) |
                     (polls[i].revents & POLLOUT ? CURL_CSELECT_OUT : 0) |
                     (polls[i].revents & (POLLERR | POLLHUP | POLLNVAL) ? CURL_CSELECT_ERR : 0);
        if (events)
            curl_multi_socket_action(pump->multi, polls[i].fd, events, &running);
    }
    if (pump->timer_at >= 0 && now_s() >= pump->timer_at) {
        pump->timer_at = -1;
        curl_multi_socket_action(pump->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    return 0;
}

void pump_add(struct pump *pump, struct transfer *t)
{
    int running;
    curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
    t->begin = now_s();
    t->added = curl_multi_add_handle(pump->multi, t->easy) == CURLM_OK;
    if (t->added) {
        pump->under_way++;
        curl_multi_socket_action(pump->multi, CURL_SOCKET_TIMEOUT, 0, &running);
        return;
    }
    t->end = WEB_MISUSED;
    t->why = "libcurl refuses the request";
}

static void finish(struct pump *pump, struct transfer *t, CURLcode code)
{
    transfer_conclude(t, code);
    curl_multi_remove_handle(pump->multi, t->easy);
    t->added = false;
    pump->under_way--;
}

static struct transfer *read_ended(struct pump *pump)
{
    int left;
    char *own = NULL;
    CURLMsg *message = curl_multi_info_read(pump->multi, &left);
    if (!message || message->msg != CURLMSG_DONE)
        return NULL;
    CURLcode code = message->data.result;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &own);
    struct transfer *t = (struct transfer *)(void *)own;
    finish(pump, t, code);
    return t;
}

struct transfer *pump_next(struct pump *pump)
{
    struct transfer *ended = read_ended(pump);
    while (!ended && pump->error == 0 && pump->under_way > 0) {
        pump->error = serve(pump);
        ended = read_ended(pump);
    }
    return ended;
}

void pump_abandon(struct pump *pump, struct transfer *t)
{
    if (t->added)
        finish(pump, t, pump->error == -ETIMEDOUT ? CURLE_OPERATION_TIMEDOUT : CURLE_ABORTED_BY_CALLBACK);
}

void pump_run(struct pump *pump, struct transfer *t)
{
    pump_add(pump, t);
    while (t->added && pump_next(pump))
        ;
    pump_abandon(pump, t);
}
