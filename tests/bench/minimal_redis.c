/* SPDX-License-Identifier: GPL-3.0-or-later */
/* minimal_redis COUNT MS PORT - connect, PING, INFO, close, as short as hiredis allows: what the redis plugin is
 * measured by. */
#include <hiredis/hiredis.h>
#include <stdint.h>
#include <sys/time.h>

#include "tests/bench/minimal.h"

static bool ask(redisContext *server, const char *command)
{
    redisReply *reply = redisCommand(server, command);
    bool good = reply && reply->type != REDIS_REPLY_ERROR && reply->len > 0;
    freeReplyObject(reply);
    return good;
}

static bool check(void *context)
{
    const int *port = context;
    redisContext *server = redisConnectWithTimeout("127.0.0.1", *port, (struct timeval){ 5, 0 });
    bool good = server && !server->err && ask(server, "PING") && ask(server, "INFO");
    redisFree(server);
    return good;
}

int main(int argc, char **argv)
{
    int port = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 0;
    return argc > 3 ? minimal_run(argv, check, &port) : 2;
}
