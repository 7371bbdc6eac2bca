/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_plugin - descriptors good and bad, tables of another header's size, the types of options from tables, and a
 * task's options against what a plugin declares. */
#include "core/model/plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/model/task.h"
#include "tests/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void run(struct belfry_probe *p)
{
    (void)p;
}

static const char *const modes[] = { "fast", "safe", NULL };
static const struct belfry_option options[] = {
    { "host", BELFRY_HOST, "Where it is", .required = true, .example = "db1.example.net" },
    { "port", BELFRY_PORT, "Its port", .fallback = "6379" },
    { "mode", BELFRY_TEXT, "How", .fallback = "fast", .choices = modes },
    { "password", BELFRY_TEXT, "Its password", .secret = true, .example = "@redis" },
    { "paths", BELFRY_PATH, "What", .list = true },
    { "header", BELFRY_TEXT, "More", .map = true },
    BELFRY_END,
};
static const struct belfry_metric metrics[] = {
    { "latency", "s", "How long", "~:0.1", "~:1", "0", NULL, BELFRY_GAUGE },
    { "bytes", NULL, "How many", NULL, NULL, NULL, NULL, BELFRY_COUNTER },
    BELFRY_END,
};

static const struct belfry_view views[] = {
    { "times", "Times", "latency", BELFRY_LINES, NULL, false },
    { "counts", "Counts", "by*  x*", BELFRY_STACK, "bytes", true },
    BELFRY_END,
};

static const struct belfry_plugin good = { .magic = BELFRY_MAGIC,
                                           .size = sizeof good,
                                           .abi = BELFRY_ABI,
                                           .option_size = sizeof options[0],
                                           .metric_size = sizeof metrics[0],
                                           .view_size = sizeof views[0],
                                           .name = "redis",
                                           .version = "1.0",
                                           .summary = "Redis",
                                           .options = options,
                                           .metrics = metrics,
                                           .run = run,
                                           .blocking = true,
                                           .description = "A paragraph.",
                                           .views = views };

static struct arena arena;

static void test_make(void)
{
    struct plugin_info info;
    struct why why = { "" };
    tap_is_int(plugin_info_make(&arena, &good, &info, &why), 0, "a good descriptor");
    tap_is_text(why.text, "", "nothing to say about it");
    tap_ok(info.option_count == 6 && info.metric_count == 2 && info.blocking && info.abi == BELFRY_ABI, "its numbers");
    tap_is_text(info.description, "A paragraph.", "its description");
    tap_ok(info.name != good.name && strcmp(info.name, "redis") == 0, "texts are copies");
    const struct plugin_option *mode = plugin_option_find(&info, "mode");
    tap_ok(mode && mode->type == BELFRY_TEXT && !mode->required && strcmp(mode->choices[1], "safe") == 0, "an option");
    tap_ok(plugin_option_find(&info, "host")->choices && !plugin_option_find(&info, "host")->choices[0],
           "choices are never NULL");
    tap_is_text(plugin_metric_find(&info, "bytes")->unit, "", "a unit is never NULL");
    tap_ok(!plugin_option_find(&info, "bytes") && !plugin_metric_find(&info, "host"), "nothing of other names");
    const struct plugin_view *view = &info.views[1];
    tap_ok(info.view_count == 2 && view->style == BELFRY_STACK && view->parts && !info.views[0].parts, "its views");
    tap_is_text(view->limit, "bytes", "with the limit of one");
    tap_ok(plugin_view_place(view, "bytes") == 0 && plugin_view_place(view, "x") == 1 &&
               plugin_view_place(view, "b") == -1 && plugin_view_place(&info.views[0], "latency2") == -1 &&
               plugin_view_place(&info.views[0], "laten") == -1,
           "and the places of metrics in them");
    struct belfry_plugin bare = good;
    bare.options = NULL;
    bare.metrics = NULL;
    bare.views = NULL;
    tap_ok(plugin_info_make(&arena, &bare, &info, NULL) == 0 && !info.option_count && !info.metric_count, "no tables");
}

static void refuse(const struct belfry_plugin *plugin, const char *said)
{
    struct plugin_info info = { .name = "untouched" };
    struct why why = { "" };
    int code = plugin_info_make(&arena, plugin, &info, &why);
    tap_ok(code < 0 && strstr(why.text, said) && strcmp(info.name, "untouched") == 0, "refused: %s", why.text);
}

static void test_refused_heads(void)
{
#define HEAD(member, value, said)                                                                                      \
    do {                                                                                                               \
        struct belfry_plugin changed = good;                                                                           \
        changed.member = value;                                                                                        \
        refuse(&changed, said);                                                                                        \
    } while (0)
    HEAD(magic, 0x464C457F, "464c457f");
    HEAD(abi, 2, "ABI 2");
    HEAD(size, 8, "sizes");
    HEAD(option_size, 0, "sizes");
    HEAD(option_size, 8, "sizes");
    HEAD(option_size, 57, "sizes");
    HEAD(option_size, 0xffffffff, "sizes");
    HEAD(metric_size, 4, "sizes");
    HEAD(view_size, 8, "sizes");
    HEAD(view_size, 57, "sizes");
    HEAD(name, NULL, "no name for a plugin");
    HEAD(name, "Redis", "'Redis' is no name");
    HEAD(name, "../redis", "no name for a plugin");
    HEAD(version, NULL, "no version");
    HEAD(summary, "", "no summary");
    HEAD(run, NULL, "no run function");
}

static void test_refused_options(void)
{
    static const struct {
        struct belfry_option option;
        const char *said;
    } table[] = {
        { { "Host", BELFRY_TEXT, "d", .list = false }, "'Host' is no name for an option" },
        { { "", BELFRY_TEXT, "d", .list = false }, "is no name for an option" },
        { { "9a", BELFRY_TEXT, "d", .list = false }, "is no name for an option" },
        { { "a-b", BELFRY_TEXT, "d", .list = false }, "is no name for an option" },
        { { "timeout", BELFRY_TEXT, "d", .list = false }, "word of the framework" },
        { { "series", BELFRY_TEXT, "d", .list = false }, "word of the framework" },
        { { "first", BELFRY_TEXT, "d", .list = false }, "'first' is declared twice" },
        { { "a", 0, "d", .list = false }, "unknown type 0" },
        { { "a", 12, "d", .list = false }, "unknown type 12" },
        { { "a", -1, "d", .list = false }, "unknown type -1" },
        { { "a", BELFRY_TEXT, NULL, .list = false }, "no documentation" },
        { { "a", BELFRY_TEXT, "", .list = false }, "no documentation" },
        { { "a", BELFRY_TEXT, "d", .list = true, .map = true }, "a list and a map" },
        { { "a", BELFRY_TEXT, "d", .required = true, .fallback = "x" }, "required and has a fallback" },
        { { "a", BELFRY_PORT, "d", .fallback = "70000" }, "the fallback of option 'a' is wrong" },
        { { "a", BELFRY_TEXT, "d", .fallback = "x", .choices = modes }, "the fallback of option 'a' is wrong" },
        { { "a", BELFRY_PORT, "d", .choices = modes }, "a choice of option 'a' is wrong" },
        { { "a", BELFRY_DURATION, "d", .example = "5" }, "the example of option 'a' is wrong" },
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        struct belfry_option with[] = { { "first", BELFRY_TEXT, "d", .list = false }, table[i].option, BELFRY_END };
        struct belfry_plugin plugin = good;
        plugin.options = with;
        refuse(&plugin, table[i].said);
    }
}

static void test_refused_views(void)
{
    static const struct {
        struct belfry_view view;
        const char *said;
    } table[] = {
        { { "Good one", "t", "latency", 0, NULL, false }, "'Good one' is no name for a view" },
        { { "latency", "t", "latency", 0, NULL, false }, "view 'latency' has the name of a metric" },
        { { "first", "t", "latency", 0, NULL, false }, "view 'first' is declared twice" },
        { { "a", NULL, "latency", 0, NULL, false }, "view 'a' has no title" },
        { { "a", "", "latency", 0, NULL, false }, "view 'a' has no title" },
        { { "a", "t", NULL, 0, NULL, false }, "view 'a' has no metrics" },
        { { "a", "t", " ", 0, NULL, false }, "view 'a' has no metrics" },
        { { "a", "t", "latency,bytes", 0, NULL, false }, "'latency,bytes' of view 'a' is no metric" },
        { { "a", "t", "lat*cy", 0, NULL, false }, "'lat*cy' of view 'a' is no metric" },
        { { "a", "t", "latencies", 0, NULL, false }, "the metric 'latencies', which is not declared" },
        { { "a", "t", "latency bytes", 0, NULL, false }, "two units, 'latency' in 's' and 'bytes' in '/s'" },
        { { "a", "t", "*", 0, NULL, false }, "two units" },
        { { "a", "t", "latency", 0, "bytes", false }, "two units" },
        { { "a", "t", "latency", 0, "lat*", false }, "the limit 'lat*' of view 'a' is no metric" },
        { { "a", "t", "latency", 0, "limit", false }, "the limit 'limit', which is not declared" },
        { { "a", "t", "latency", 2, NULL, false }, "unknown style 2" },
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        struct belfry_view with[] = { { "first", "t", "x*", 0, NULL, false }, table[i].view, BELFRY_END };
        struct belfry_plugin plugin = good;
        plugin.views = with;
        refuse(&plugin, table[i].said);
    }
    struct plugin_info info;
    struct belfry_plugin older = good;
    older.view_size = 0;
    tap_ok(plugin_info_make(&arena, &older, &info, NULL) == 0 && info.view_count == 0, "no size: no views");
    older = good;
    older.size = offsetof(struct belfry_plugin, views);
    tap_ok(plugin_info_make(&arena, &older, &info, NULL) == 0 && info.view_count == 0, "nor in a shorter descriptor");
}

static void test_refused_metrics(void)
{
    static const struct {
        struct belfry_metric metric;
        const char *said;
    } table[] = {
        { { "A", "", "d", NULL, NULL, NULL, NULL, 0 }, "no name for a metric" },
        { { "first", "", "d", NULL, NULL, NULL, NULL, 0 }, "declared twice" },
        { { "a", "", NULL, NULL, NULL, NULL, NULL, 0 }, "no documentation" },
        { { "a", "", "d", "2:1", NULL, NULL, NULL, 0 }, "a threshold of metric 'a' is wrong" },
        { { "a", "", "d", NULL, "x", NULL, NULL, 0 }, "a threshold of metric 'a' is wrong" },
        { { "a", "", "d", NULL, NULL, "nan", NULL, 0 }, "not a number" },
        { { "a", "", "d", NULL, NULL, NULL, "1:2", 0 }, "not a number" },
        { { "a", "", "d", NULL, NULL, NULL, NULL, 2 }, "unknown kind 2" },
        { { "a", "a unit beyond all sense", "d", NULL, NULL, NULL, NULL, 0 }, "too long" },
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        struct belfry_metric with[] = { { "first", "", "d", NULL, NULL, NULL, NULL, 0 }, table[i].metric, BELFRY_END };
        struct belfry_plugin plugin = good;
        plugin.metrics = with;
        refuse(&plugin, table[i].said);
    }
}

/* Tables that end exactly where memory ends: one entry too far is a crash. */
static void *before_the_abyss(const void *bytes, size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (n + page - 1) / page * page;
    char *map = mmap(NULL, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(map + whole, page, PROT_NONE);
    return memcpy(map + whole - n, bytes, n);
}

static void test_unterminated(void)
{
    static struct belfry_option many[PLUGIN_OPTIONS_MAX + 1];
    static char names[PLUGIN_OPTIONS_MAX + 1][8];
    for (int i = 0; i <= PLUGIN_OPTIONS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "o%d", i);
        many[i] = (struct belfry_option){ names[i], BELFRY_TEXT, "d", .list = false };
    }
    struct belfry_plugin plugin = good;
    struct plugin_info info;
    plugin.options = before_the_abyss(many, sizeof many);
    refuse(&plugin, "without BELFRY_END");
    many[PLUGIN_OPTIONS_MAX] = (struct belfry_option)BELFRY_END;
    plugin.options = before_the_abyss(many, sizeof many);
    tap_ok(plugin_info_make(&arena, &plugin, &info, NULL) == 0 && info.option_count == PLUGIN_OPTIONS_MAX,
           "as many options as there may be");
    static const char *endless[200];
    for (size_t i = 0; i < COUNT(endless); i++)
        endless[i] = "x";
    struct belfry_option one[] = { { "a", BELFRY_TEXT, "d", .choices = endless }, BELFRY_END };
    plugin.options = one;
    refuse(&plugin, "too long");
}

/* A plugin built with a header whose structs are smaller or larger than ours. */
static void test_strides(void)
{
    struct {
        struct belfry_option known;
        const char *later[2];
    } large[] = { { { "a", BELFRY_PORT, "d", .fallback = "1" }, { "x", "y" } },
                  { { "b", BELFRY_TEXT, "d", .list = false }, { "x", "y" } },
                  { { .name = NULL }, { NULL, NULL } } };
    struct {
        const char *name;
        int type;
        const char *doc;
    } small[] = { { "a", BELFRY_PORT, "d" }, { "b", BELFRY_TEXT, "d" }, { NULL, 0, NULL } };
    struct belfry_plugin plugin = good;
    struct plugin_info info;
    plugin.options = before_the_abyss(large, sizeof large);
    plugin.option_size = sizeof large[0];
    tap_is_int(plugin_info_make(&arena, &plugin, &info, NULL), 0, "entries larger than ours");
    tap_ok(info.option_count == 2 && strcmp(info.options[0].fallback, "1") == 0 &&
               strcmp(info.options[1].name, "b") == 0,
           "are read as far as we know them");
    plugin.options = before_the_abyss(small, sizeof small);
    plugin.option_size = sizeof small[0];
    tap_is_int(plugin_info_make(&arena, &plugin, &info, NULL), 0, "entries smaller than ours");
    tap_ok(info.option_count == 2 && !info.options[0].fallback && !info.options[0].required &&
               !info.options[1].choices[0] && strcmp(info.options[1].name, "b") == 0,
           "have zeros in what they lack");
    plugin = good;
    plugin.size = offsetof(struct belfry_plugin, blocking);
    struct belfry_plugin *short_one = before_the_abyss(&plugin, plugin.size);
    tap_ok(plugin_info_make(&arena, short_one, &info, NULL) == 0 && !info.blocking && !info.description,
           "a descriptor smaller than ours");
}

static void test_file_mark(void)
{
    char path[] = "/tmp/belfry-mark-XXXXXX";
    int fd = mkstemp(path);
    uint64_t first = plugin_file_mark(fd);
    tap_ok(first && plugin_file_mark(fd) == first, "a file's mark stays");
    tap_is_int(write(fd, "x", 1), 1, "until it is written");
    tap_ok(plugin_file_mark(fd) != first, "and is then another");
    unlink(path);
    close(fd);
    tap_is_int(plugin_file_mark(-1), 0, "no file, no mark");
}

/* ---- types */

static void test_types(void)
{
    static const struct {
        int type;
        const char *value;
        bool good;
    } table[] = {
        { BELFRY_TEXT, "", true },
        { BELFRY_TEXT, "any \xC3\xA4 | text", true },
        { BELFRY_TEXT, "a\nb", false },
        { BELFRY_TEXT, "a\x7f", false },
        { BELFRY_INTEGER, "-42", true },
        { BELFRY_INTEGER, "4.2", false },
        { BELFRY_INTEGER, "9223372036854775808", false },
        { BELFRY_NUMBER, "4.2", true },
        { BELFRY_NUMBER, "nan", false },
        { BELFRY_FLAG, "true", true },
        { BELFRY_FLAG, "yes", false },
        { BELFRY_DURATION, "90s", true },
        { BELFRY_DURATION, "90", false },
        { BELFRY_SIZE, "64KiB", true },
        { BELFRY_SIZE, "64 KiB", false },
        { BELFRY_PATH, "/var/log", true },
        { BELFRY_PATH, "var/log", false },
        { BELFRY_PATH, "", false },
        { BELFRY_PATH, "/a\nb", false },
        { BELFRY_HOST, "localhost", true },
        { BELFRY_HOST, "db1.example.net", true },
        { BELFRY_HOST, "db1.example.net.", true },
        { BELFRY_HOST, "_srv.Example.NET", true },
        { BELFRY_HOST, "1and1.com", true },
        { BELFRY_HOST, "10.0.0.1", true },
        { BELFRY_HOST, "::1", true },
        { BELFRY_HOST, "fe80::1%eth0", true },
        { BELFRY_HOST, "2001:db8::10.0.0.1", true },
        { BELFRY_HOST, "", false },
        { BELFRY_HOST, ".", false },
        { BELFRY_HOST, "a..b", false },
        { BELFRY_HOST, "-a", false },
        { BELFRY_HOST, "a-", false },
        { BELFRY_HOST, "a b", false },
        { BELFRY_HOST, "10.0.0", false },
        { BELFRY_HOST, "10.0.0.256", false },
        { BELFRY_HOST, "2130706433", false },
        { BELFRY_HOST, "[::1]", false },
        { BELFRY_HOST, "::1%", false },
        { BELFRY_HOST, "db1:6379", false },
        { BELFRY_HOST, "http://a", false },
        { BELFRY_PORT, "1", true },
        { BELFRY_PORT, "65535", true },
        { BELFRY_PORT, "0", false },
        { BELFRY_PORT, "65536", false },
        { BELFRY_PORT, "-1", false },
        { BELFRY_PORT, "http", false },
        { BELFRY_URL, "http://a", true },
        { BELFRY_URL, "https://a:8443/x?y=1#z", true },
        { BELFRY_URL, "https://[::1]/", true },
        { BELFRY_URL, "ftp://a", false },
        { BELFRY_URL, "HTTP//a", false },
        { BELFRY_URL, "http://", false },
        { BELFRY_URL, "http:///x", false },
        { BELFRY_URL, "http://:80", false },
        { BELFRY_URL, "http://a b", false },
        { BELFRY_URL, "http://a\r\nX: y", false },
        { BELFRY_RANGE, "@10:20", true },
        { BELFRY_RANGE, "2:1", false },
        { 0, "x", false },
        { 99, "x", false },
    };
    static const char *const none[] = { NULL };
    for (size_t i = 0; i < COUNT(table); i++) {
        struct plugin_option option = { .name = "x", .type = table[i].type, .choices = none };
        struct why why = { "" };
        int code = plugin_option_check(&option, table[i].value, &why);
        tap_ok((code == 0) == table[i].good && (why.text[0] == '\0') == table[i].good, "%s '%s' %s",
               plugin_type_name(table[i].type), table[i].good ? table[i].value : "", why.text);
    }
    for (int type = BELFRY_TEXT; type <= BELFRY_RANGE; type++)
        tap_ok(strcmp(plugin_type_name(type), "unknown") != 0 && plugin_type_doc(type)[0], "type %d has its words",
               type);
    tap_is_text(plugin_type_name(0), "unknown", "no such type");
    tap_ok(plugin_type_doc(99) != NULL, "no such type, but words");
}

static void test_messages(void)
{
    struct plugin_info info;
    struct why why;
    plugin_info_make(&arena, &good, &info, NULL);
    plugin_option_check(plugin_option_find(&info, "port"), "http", &why);
    tap_is_text(why.text, "option 'port': 'http' is not a port, write a port number from 1 to 65535", "a wrong value");
    plugin_option_check(plugin_option_find(&info, "mode"), "slow", &why);
    tap_is_text(why.text, "option 'mode': 'slow' is not one of its values, write one of fast, safe", "a wrong choice");
    plugin_option_check(plugin_option_find(&info, "password"), "hunter\n2", &why);
    tap_ok(!strstr(why.text, "hunter") && strstr(why.text, "***"), "a secret is not repeated: %s", why.text);
    static char wide[TASK_VALUE_BYTES_MAX + 2];
    memset(wide, 'w', sizeof wide - 1);
    tap_is_int(plugin_option_check(plugin_option_find(&info, "password"), wide, &why), ERROR_LIMIT, "too long");
    wide[TASK_VALUE_BYTES_MAX] = '\0';
    tap_is_int(plugin_option_check(plugin_option_find(&info, "password"), wide, &why), 0, "as long as may be");
}

/* ---- tasks */

static void test_task(void)
{
    static const char *host[] = { "db1" }, *two[] = { "/a", "/b" }, *keys[] = { "X-A", "X-B" }, *bad[] = { "a b" };
    static const struct {
        const char *what;
        struct task_option options[3];
        uint32_t count;
        int code;
        const char *said;
    } table[] = {
        { "what is required", { { "host", NULL, host, 1 } }, 1, 0, "" },
        { "a list and a map",
          { { "host", NULL, host, 1 }, { "paths", NULL, two, 2 }, { "header", keys, two, 2 } },
          3,
          0,
          "" },
        { "an empty list", { { "host", NULL, host, 1 }, { "paths", NULL, NULL, 0 } }, 2, 0, "" },
        { "nothing", { { 0 } }, 0, ERROR_SYNTAX, "option 'host' is missing, plugin 'redis' requires it (Where it is)" },
        { "a misspelt option", { { "hots", NULL, host, 1 } }, 1, ERROR_UNKNOWN_NAME, "did you mean 'host'" },
        { "an unknown option",
          { { "colour", NULL, host, 1 } },
          1,
          ERROR_UNKNOWN_NAME,
          "see `belfry plugins info redis`" },
        { "twice", { { "host", NULL, host, 1 }, { "host", NULL, host, 1 } }, 2, ERROR_SYNTAX, "given twice" },
        { "a wrong value", { { "host", NULL, bad, 1 } }, 1, ERROR_SYNTAX, "'a b' is not a host" },
        { "a list for one value", { { "host", NULL, two, 2 } }, 1, ERROR_SYNTAX, "takes one value, 2 were given" },
        { "no value at all", { { "host", NULL, host, 0 } }, 1, ERROR_SYNTAX, "takes one value, 0 were given" },
        { "a map for one value", { { "host", keys, host, 1 } }, 1, ERROR_SYNTAX, "takes no names" },
        { "a list for a map",
          { { "host", NULL, host, 1 }, { "header", NULL, two, 2 } },
          2,
          ERROR_SYNTAX,
          "wants names" },
        { "one wrong of many",
          { { "host", NULL, host, 1 }, { "paths", NULL, host, 1 } },
          2,
          ERROR_SYNTAX,
          "not a path" },
    };
    struct plugin_info info;
    plugin_info_make(&arena, &good, &info, NULL);
    for (size_t i = 0; i < COUNT(table); i++) {
        struct task_option copy[3];
        memcpy(copy, table[i].options, sizeof copy);
        struct task task = { "x/y", copy, table[i].count };
        struct why why = { "" };
        tap_is_int(task_check(&task, &info, &why), table[i].code, table[i].what);
        tap_ok(strstr(why.text, table[i].said) && (table[i].code || !why.text[0]), "%s", why.text);
        tap_ok(task_option_find(&task, "host") == NULL || strcmp(task_option_find(&task, "host")->name, "host") == 0,
               "found by its name");
    }
}

int main(void)
{
    test_make();
    test_refused_heads();
    test_refused_options();
    test_refused_metrics();
    test_refused_views();
    test_unterminated();
    test_strides();
    test_file_mark();
    test_types();
    test_messages();
    test_task();
    arena_close(&arena);
    return tap_done();
}
