/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sql-failure - what error numbers mean, for those who read the verdict and for those who act upon it. */
#include "plugins/common/sql-steps.h"

#include <errmsg.h>
#include <errno.h>
#include <mysqld_error.h>
#include <string.h>

#define ER_NO_SECURE_TRANSPORT_MARIADB 4151 /* these two are not in older headers */
#define ER_NO_SECURE_TRANSPORT_MYSQL 3159

static const struct {
    unsigned int code;
    enum sql_blame blame;
    const char *text;
} failures[] = {
    { CR_UNKNOWN_HOST, SQL_NOT_REACHED, "cannot be found" },
    { CR_CONNECTION_ERROR, SQL_NOT_REACHED, "cannot be connected to" },
    { CR_CONN_HOST_ERROR, SQL_NOT_REACHED, "cannot be connected to" },
    { CR_SERVER_LOST, SQL_NOT_REACHED, "broke the connection" },
    { CR_SERVER_GONE_ERROR, SQL_NOT_REACHED, "broke the connection" },
    { CR_VERSION_ERROR, SQL_NOT_REACHED, "does not speak the MariaDB protocol" },
    { CR_MALFORMED_PACKET, SQL_NOT_REACHED, "does not speak the MariaDB protocol" },
    { CR_SERVER_HANDSHAKE_ERR, SQL_NOT_REACHED, "does not speak the MariaDB protocol" },
    { CR_NET_PACKET_TOO_LARGE, SQL_NOT_REACHED, "sends a packet of more than 1 MiB or no packet at all" },
    { CR_COMMANDS_OUT_OF_SYNC, SQL_NOT_REACHED, "does not keep to the MariaDB protocol" },
    { CR_OUT_OF_MEMORY, SQL_NOT_REACHED, "cannot be asked" },
    { ER_CON_COUNT_ERROR, SQL_NOT_REACHED, "has no connection left (max_connections)" },
    { ER_SERVER_SHUTDOWN, SQL_NOT_REACHED, "is shutting down" },
    { ER_OUT_OF_RESOURCES, SQL_NOT_REACHED, "is out of memory" },
    { ER_ACCESS_DENIED_ERROR, SQL_NO_RIGHT, "refuses the user or password" },
    { ER_ACCESS_DENIED_NO_PASSWORD_ERROR, SQL_NO_RIGHT, "refuses the user without a password" },
    { ER_DBACCESS_DENIED_ERROR, SQL_NO_RIGHT, "refuses the database to this user" },
    { ER_BAD_DB_ERROR, SQL_NO_RIGHT, "has no such database" },
    { ER_HOST_IS_BLOCKED, SQL_NO_RIGHT, "has blocked this host after failed connections: FLUSH HOSTS there" },
    { ER_HOST_NOT_PRIVILEGED, SQL_NO_RIGHT, "has no account for connections from this host" },
    { ER_TOO_MANY_USER_CONNECTIONS, SQL_NO_RIGHT, "has no connection left for this user" },
    { ER_USER_LIMIT_REACHED, SQL_NO_RIGHT, "has no connection left for this user (MAX_USER_CONNECTIONS)" },
    { ER_MUST_CHANGE_PASSWORD, SQL_NO_RIGHT, "wants the password changed" },
    { ER_MUST_CHANGE_PASSWORD_LOGIN, SQL_NO_RIGHT, "wants the password changed" },
    { ER_NOT_SUPPORTED_AUTH_MODE, SQL_NO_RIGHT, "wants an old way to log in" },
    { CR_AUTH_PLUGIN_CANNOT_LOAD, SQL_NO_RIGHT, "wants a way to log in that is not available" },
    { CR_PLUGIN_NOT_ALLOWED, SQL_NO_RIGHT, "wants a way to log in that would give the password away" },
    { CR_AUTH_PLUGIN_ERR, SQL_NO_RIGHT, "wants a way to log in that failed" },
    { ER_NO_SECURE_TRANSPORT_MYSQL, SQL_NO_RIGHT, "wants TLS: switch TLS on here" },
    { ER_NO_SECURE_TRANSPORT_MARIADB, SQL_NO_RIGHT, "wants TLS: switch TLS on here" },
};

static const struct {
    unsigned int code;
    enum sql_cause cause;
} causes[] = {
    { ER_PARSE_ERROR, SQL_SYNTAX },
    { ER_SPECIFIC_ACCESS_DENIED_ERROR, SQL_DENIED },
    { ER_ACCESS_DENIED_ERROR, SQL_DENIED },
    { ER_TABLEACCESS_DENIED_ERROR, SQL_DENIED },
    { ER_COLUMNACCESS_DENIED_ERROR, SQL_DENIED },
    { ER_DBACCESS_DENIED_ERROR, SQL_DENIED },
    { ER_NO_SUCH_TABLE, SQL_NO_TABLE },
    { ER_BAD_TABLE_ERROR, SQL_NO_TABLE },
    { ER_UNKNOWN_TABLE, SQL_NO_TABLE },
    { ER_BAD_DB_ERROR, SQL_NO_TABLE },
    { ER_BAD_FIELD_ERROR, SQL_NO_COLUMN },
    { ER_UNKNOWN_SYSTEM_VARIABLE, SQL_NO_VARIABLE },
};

enum sql_cause sql_cause_of(unsigned int code)
{
    if (IS_MYSQL_ERROR(code) || IS_MARIADB_ERROR(code))
        return SQL_WIRE;
    for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++)
        if (causes[i].code == code)
            return causes[i].cause;
    return code == 0 ? SQL_NO_CAUSE : SQL_REFUSED;
}

/* How far it had come; connecting is told by what failed itself. */
static const char *const phases[] = {
    [SQL_CONNECTING] = "while connecting", [SQL_GREETING] = "while waiting for the greeting",
    [SQL_TLS] = "in the TLS handshake",    [SQL_LOGGING_IN] = "while logging in",
    [SQL_ASKING] = "while asking",
};

/* Handshakes that ended before any certificate was looked at: what OpenSSL says, as libmariadb passes it on. */
static const struct {
    const char *said, *text;
} cut_short[] = {
    { "unexpected eof", "broke the connection" },     { "TLS/SSL errno: 0", "broke the connection" },
    { "wrong version number", "does not speak TLS" }, { "packet length too long", "does not speak TLS" },
    { "record layer failure", "does not speak TLS" },
};

/* A failure of TLS; what is there to be trusted was reached. */
static const char *judge_tls(const struct sql_link *link, enum sql_blame *blame)
{
    const char *text = link->os_error == ECONNRESET || link->os_error == EPIPE ? cut_short[0].text : NULL;
    for (size_t i = 0; !text && i < sizeof cut_short / sizeof cut_short[0]; i++)
        text = strstr(link->why, cut_short[i].said) ? cut_short[i].text : NULL;
    *blame = text ? SQL_NOT_REACHED : SQL_REACHED_BAD;
    if (text || !link->tls_name)
        return text ? text : "cannot be talked to over verified TLS";
    return belfry_print(link->p, "cannot be talked to over verified TLS as '%s'", link->tls_name);
}

/* What the error number means; the blame is given what fits most. */
static const char *judge(const struct sql_link *link, enum sql_blame *blame)
{
    *blame = link->cause == SQL_WIRE ? SQL_NOT_REACHED : SQL_NO_RIGHT;
    if (link->code == CR_SSL_CONNECTION_ERROR)
        return judge_tls(link, blame);
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++)
        if (failures[i].code == link->code) {
            *blame = failures[i].blame;
            return failures[i].text;
        }
    return *blame == SQL_NO_RIGHT ? "refuses to answer" : "cannot be asked";
}

const char *sql_failure(const struct sql_link *link, enum sql_blame *blame)
{
    struct belfry_probe *p = link->p;
    *blame = SQL_NOT_REACHED;
    if (link->late)
        return belfry_print(p, "%s: timed out %s", link->peer, phases[link->phase]);
    const char *text = judge(link, blame);
    if (*blame == SQL_NOT_REACHED && link->phase != SQL_CONNECTING)
        return belfry_print(p, "%s %s %s: %s", link->peer, text, phases[link->phase], link->why);
    if (*blame != SQL_NO_RIGHT)
        return belfry_print(p, "%s %s: %s", link->peer, text, link->why);
    return belfry_print(p, "%s %s: '%s' (error %u)", link->peer, text, link->why, link->code);
}
