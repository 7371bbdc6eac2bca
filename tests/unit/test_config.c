/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_config - what good files mean: values in force, each, thresholds, secrets, paths, bounds, the catalog, and that
 * what `belfry config show` prints reads back as the same model. */
#include "config_fixture.h"

#include <jansson.h>

#include "core/base/clock.h"
#include "core/base/text.h"

/* Loads one text as the main file. */
static struct config *load_text(struct fixture *fixture, const struct catalog *catalog, const char *text)
{
    fixture_write(fixture, "belfry.conf", text);
    return fixture_load(fixture, catalog, NULL);
}

static const char *option_value(const struct config *config, const char *id, const char *name)
{
    const struct check_config *check = config ? config_check_find(config, id) : NULL;
    const struct task_option *option = check ? task_option_find(&check->task, name) : NULL;
    return option && option->count ? option->values[0] : NULL;
}

static void check_defaults(const struct check_config *check)
{
    tap_is_int(check->every_ms, 60000, "every 60 s");
    tap_is_int(check->timeout_ms, 10000, "timeout 10 s");
    tap_is_int(check->attempts, 2, "2 attempts");
    tap_is_int(check->retry_every_ms, 20000, "retry every 20 s");
    tap_is_int(check->retry.attempts, 1, "no retry within a run");
    tap_is_int(check->retry.backoff_count, 0, "no back-off");
    tap_is_int(check->breaker.failures, 5, "breaker: 5 failures");
    tap_is_int(check->breaker.open_ms, 30000, "breaker: 30 s");
    tap_is_int(check->breaker.open_max_ms, 300000, "breaker: 5 min");
    tap_is_text(check->breaker.name, check->id, "breaker: its own");
    tap_ok(!check->breaker_shared, "breaker: not shared");
    tap_ok(check->flapping.enabled && check->flapping.low == 5 && check->flapping.high == 20, "flapping 5 to 20 %%");
    tap_is_text(check->severity, "sev3", "severity sev3");
    tap_ok(check->enabled, "enabled");
    tap_is_int(check->threshold_count, 0, "no thresholds");
    tap_is_text(check->title, "b", "the title is the name");
    tap_is_text(check->service, "a", "the service");
    tap_is_text(check->plugin, "null", "the plugin");
    tap_is_int(check->place.line, 1, "the place");
}

static void test_defaults(struct fixture *fixture, const struct catalog *catalog)
{
    struct config *config =
        load_text(fixture, catalog, "services: { a: { checks: { b: { plugin = \"null\"; }; }; }; };");
    if (!config)
        return;
    check_defaults(&config->checks[0]);
    tap_is_text(config->state_dir, LOCALSTATEDIR "/lib/belfry", "state_dir");
    tap_is_text(config->run_dir, RUNSTATEDIR "/belfry", "run_dir");
    tap_is_text(config->control_socket, RUNSTATEDIR "/belfry/control.sock", "control socket");
    tap_is_text(config->plugin_dirs[0], PLUGINDIR, "plugin_dirs");
    tap_ok(!config->plugin_dirs[1], "only one");
    tap_is_text(config->secrets_dir + strlen(fixture->folder), "/secrets", "secrets beside the file");
    tap_is_text(config->conf_dir + strlen(fixture->folder), "/conf.d", "conf.d beside the file");
    tap_is_int(config->journal_segment_bytes, 16 << 20, "journal segments of 16 MiB");
    tap_is_int(config->journal_seal_every_ms, 15 * 60 * 1000, "sealed every 15 minutes");
    tap_is_int(config->journal_anchor.every_ms, 0, "anchored nowhere");
    tap_is_int(config->archive_count, 4, "four archives");
    tap_ok(config->archives[0].point_s == 1 && config->archives[0].length_s == 172800, "the step for 2 days");
    tap_ok(config->archives[1].point_s == 300 && config->archives[1].length_s == 1209600, "5 min for 2 weeks");
    tap_is_text(config->services[0].title, "a", "the service's title is its name");
    tap_is_text(config->services[0].severity, "sev3", "and its severity");
    tap_ok(!config->services[0].depends[0], "it depends on nothing");
    config_close(&config);
}

static void test_merging(struct fixture *fixture, const struct catalog *catalog)
{
    struct config *config =
        load_text(fixture, catalog,
                  "defaults: { every = \"5m\"; timeout = \"5s\"; attempts = 3; severity = \"sev4\";\n"
                  "  retry = { attempts = 3; backoff = [ \"1s\", \"4s\" ]; }; };\n"
                  "templates: {\n"
                  "  one: { every = \"1m\"; attempts = 4; retry = { attempts = 5; }; host = \"t1\"; };\n"
                  "  two: { every = \"2m\"; flapping = false; };\n"
                  "  own: { every = \"3m\"; timeout = \"6s\"; breaker = \"cloud\"; };\n"
                  "};\n"
                  "breakers: { cloud: { failures = 7; open = \"1m\"; }; };\n"
                  "services: {\n"
                  "  a: { use = [ \"one\", \"two\" ]; timeout = \"7s\"; severity = \"sev1\";\n"
                  "    checks: { b: { plugin = \"tcp\"; port = 1; };\n"
                  "      c: { plugin = \"tcp\"; port = 1; use = \"own\"; attempts = 9; host = \"own\";\n"
                  "        flapping = { enabled = true; high = 30; }; };\n"
                  "      d: { plugin = \"null\"; every = \"3s\"; timeout = \"1s\"; enabled = false;\n"
                  "        breaker = { failures = 2; }; }; }; };\n"
                  "  e: { depends = [ \"a\" ]; title = \"E\"; checks: { f: { plugin = \"null\"; }; }; };\n"
                  "};\n");
    tap_ok(config != NULL, "a configuration with templates");
    if (!config)
        return;
    const struct check_config *b = config_check_find(config, "a/b"), *c = config_check_find(config, "a/c");
    const struct check_config *d = config_check_find(config, "a/d"), *f = config_check_find(config, "e/f");
    tap_is_int(b->every_ms, 120000, "the last template of a list is the strongest");
    tap_is_int(b->attempts, 4, "what it leaves open comes from the one before");
    tap_is_int(b->timeout_ms, 7000, "the service is stronger than defaults");
    tap_is_int(b->retry.attempts, 5, "members of retry are looked up one by one");
    tap_is_int(b->retry.backoff_ms[1], 4000, "also those of defaults");
    tap_ok(!b->flapping.enabled, "flapping = false");
    tap_is_text(b->severity, "sev1", "severity of the service");
    tap_is_text(option_value(config, "a/b", "host"), "t1", "an option of a template");
    tap_is_int(c->every_ms, 180000, "the check's template is stronger than the service's");
    tap_is_int(c->timeout_ms, 6000, "and than the service");
    tap_is_int(c->attempts, 9, "the check is the strongest");
    tap_is_text(option_value(config, "a/c", "host"), "own", "also for options");
    tap_ok(c->flapping.enabled && c->flapping.high == 30 && c->flapping.low == 5, "flapping as a group");
    tap_ok(c->breaker_shared && c->breaker.failures == 7 && c->breaker.open_ms == 60000, "a shared breaker");
    tap_is_text(c->breaker.name, "cloud", "by its name");
    tap_ok(!d->breaker_shared && d->breaker.failures == 2 && d->breaker.open_ms == 30000, "a breaker of its own");
    tap_ok(!d->enabled, "not enabled");
    tap_is_int(d->retry_every_ms, 3000, "retry_every is not longer than every when nothing is said");
    tap_ok(!option_value(config, "a/d", "host"), "an option that its plugin doesn't know is not for it");
    tap_is_int(f->every_ms, 300000, "defaults");
    tap_is_text(f->severity, "sev4", "defaults");
    tap_is_text(config->services[1].depends[0], "a", "depends");
    tap_is_text(config->services[1].title, "E", "title");
    tap_is_int(config->services[1].first_check, 3, "checks are ordered by service");
    config_close(&config);
}

static void test_each(struct fixture *fixture, const struct catalog *catalog)
{
    struct config *config = load_text(
        fixture, catalog,
        "services: { a: { checks: {\n"
        "  port: { plugin = \"tcp\"; port = 80; host = \"$host.example\"; title = \"${host} costs $$5 or $6$\";\n"
        "    each = { host = [ \"web1\", \"web2\" ]; }; };\n"
        "  page: { plugin = \"http\"; url = \"$url\"; expect_status = [ \"$code\", \"^x$\" ];\n"
        "    header: { Host = \"$name\"; };\n"
        "    each = { name = [ \"one\", \"two\" ]; url = [ \"http://1/\", \"http://2/\" ]; code = [ 200, 404 ]; }; };\n"
        "}; }; };");
    tap_ok(config && config->check_count == 4, "two blocks make four checks");
    if (!config)
        return;
    tap_is_text(config->checks[0].id, "a/port@web1", "the first instance");
    tap_is_text(config->checks[1].id, "a/port@web2", "the second");
    tap_is_text(config->checks[1].task.id, "a/port@web2", "the task has the id");
    tap_is_text(config->checks[0].title, "web1 costs $5 or $6$", "$ in a title");
    tap_is_text(option_value(config, "a/port@web2", "host"), "web2.example", "$host in an option");
    tap_is_text(option_value(config, "a/page@two", "url"), "http://2/", "lists walk side by side");
    tap_is_text(option_value(config, "a/page@two", "expect_status"), "404", "numbers are texts");
    tap_is_text(option_value(config, "a/page@one", "header"), "one", "$name in a map");
    const struct task_option *status = task_option_find(&config->checks[2].task, "expect_status");
    tap_is_text(status->values[1], "^x$", "a $ before nothing is a $");
    config_close(&config);
}

static void test_thresholds(struct fixture *fixture, const struct catalog *catalog)
{
    struct config *config = load_text(
        fixture, catalog,
        "templates: { t: { thresholds: { size = { warn = \"10\"; crit = \"20\"; }; }; }; };\n"
        "services: { a: { use = \"t\"; checks: {\n"
        "  b: { plugin = \"http\"; url = \"http://a/\"; thresholds: { size = { crit = 30; };\n"
        "    time_total = { warn = \"\"; }; }; };\n"
        "  c: { plugin = \"http\"; url = \"http://a/\"; thresholds = ( { metric = \"/var\"; part = \"d\"; crit = "
        "\"5:\"; } ); };\n"
        "}; }; };");
    tap_ok(config != NULL, "thresholds are taken");
    if (!config)
        return;
    const struct check_config *b = &config->checks[0], *c = &config->checks[1];
    tap_is_int(b->threshold_count, 2, "merged by metric");
    tap_ok(b->thresholds[0].warn.range.end == 10 && b->thresholds[0].crit.range.end == 30,
           "warn of the template, crit of the check");
    tap_ok(b->thresholds[1].warn_given && !b->thresholds[1].warn.range.set && !b->thresholds[1].crit_given,
           "an empty range is given and not set");
    tap_is_int(c->threshold_count, 2, "the template's and its own");
    tap_is_text(c->thresholds[1].metric, "/var", "any name in a list, declared or not");
    tap_is_text(c->thresholds[1].part, "d", "and a part");
    config_close(&config);
}

/* ---- files --------------------------------------------------------------------------------------------------- */

static void test_files(struct fixture *fixture, const struct catalog *catalog)
{
    fixture_write(fixture, "belfry.conf",
                  "state_dir = \"state\"; run_dir = \"./run\"; plugin_dirs = [ \"p\", \"/q\" ]; conf_dir = \"more\";\n"
                  "services: { m: { checks: {\n@include \"inc/c.inc\"\n}; }; };\n");
    fixture_write(fixture, "inc/c.inc", "x: { plugin = \"null\"; };");
    fixture_write(fixture, "more/20.conf", "services: { z: { checks: { x: { plugin = \"null\"; }; }; }; };");
    fixture_write(fixture, "more/10.conf",
                  "services: { y: { depends = \"z\"; checks: { x: { plugin = \"null\"; }; }; }; };");
    struct config *config = fixture_load(fixture, catalog, NULL);
    tap_ok(config && config->service_count == 3, "services of all files");
    if (config) {
        size_t n = strlen(fixture->folder);
        tap_is_text(config->services[1].name, "y", "conf_dir in the order of names");
        tap_is_text(config->state_dir + n, "/state", "a relative path lies beside the main file");
        tap_is_text(config->plugin_dirs[0] + n, "/p", "also in a list");
        tap_is_text(config->plugin_dirs[1], "/q", "an absolute one stays");
        tap_is_text(config->files[1] + n, "/inc/c.inc", "files that were read");
        tap_is_text(config->files[3] + n, "/more/20.conf", "all of them");
        tap_ok(!config->files[4], "and no others");
        tap_is_text(config->checks[0].place.file + n, "/inc/c.inc", "a check's place is its file");
    }
    config_close(&config);

    struct config_errors errors = { .count = 0 };
    tap_is_int(config_load_paths(fixture->file, &config, &errors), 0, "the paths alone");
    tap_ok(config && config->service_count == 0 && config->check_count == 0, "without services");
    tap_is_text(config ? config->control_socket + strlen(fixture->folder) : NULL, "/./run/control.sock",
                "control socket");
    config_close(&config);
    config_errors_close(&errors);
}

static void test_no_file(struct fixture *fixture, const struct catalog *catalog)
{
    struct buf errors = { 0 };
    unlink(fixture->file);
    struct config *config = fixture_load(fixture, catalog, &errors);
    tap_ok(!config, "no file, no model");
    tap_is_text(errors.data, "belfry.conf: can't read 'belfry.conf': No such file or directory\n", "and it is said");
    buf_close(&errors);
}

static void test_relative_name(struct fixture *fixture)
{
    char before[PATH_MAX];
    struct config *config = NULL;
    struct config_errors *errors = heap_alloc(sizeof(*errors));
    fixture_write(fixture, "belfry.conf", "@include \"inc/c.inc\"\n");
    fixture_write(fixture, "inc/c.inc", "run_dir = \"r\";");
    tap_ok(getcwd(before, sizeof(before)) && chdir(fixture->folder) == 0, "in the file's folder");
    tap_is_int(config_load_paths("./belfry.conf", &config, errors), 0, "a name relative to the working directory");
    tap_is_text(config ? config->file : NULL, fixture->file, "becomes absolute");
    tap_ok(chdir(before) == 0, "and back");
    config_close(&config);
    config_errors_close(errors);
    free(errors);
}

/* ---- bounds -------------------------------------------------------------------------------------------------- */

static struct config *load_buf(struct fixture *fixture, const struct catalog *catalog, struct buf *text,
                               struct buf *errors)
{
    fixture_write_bytes(fixture, "belfry.conf", text->data, text->length, 0644);
    buf_close(text);
    return fixture_load(fixture, catalog, errors);
}

static void test_bounds(struct fixture *fixture, const struct catalog *catalog)
{
    struct buf text = { 0 }, errors = { 0 };
    for (int i = 0; i < 250; i++)
        buf_print(&text, "wrong%d = 1;\n", i);
    struct config *config = load_buf(fixture, catalog, &text, &errors);
    tap_ok(!config && strstr(errors.data, "\nand 150 more\n"), "a hundred errors are shown, all are counted");
    tap_ok(strstr(errors.data, "belfry.conf:1: ") == errors.data, "in order");
    buf_close(&errors);

    buf_text(&text, "services: {\n");
    for (int i = 0; i < 5001; i++)
        buf_print(&text, "s%d: { };\n", i);
    config = load_buf(fixture, catalog, &text, &errors);
    tap_ok(!config && strstr(errors.data, "belfry.conf:5002: more than 5000 settings"), "settings in one group");
    buf_close(&errors);

    buf_text(&text, "services: { a: { checks: {");
    for (unsigned block = 0; block < 101; block++) {
        buf_print(&text, "b%u: { plugin = \"null\"; each = { n = [ 0", block);
        for (unsigned i = 1; i < CONFIG_CHECKS_MAX / 100; i++)
            buf_print(&text, ",%u", i);
        buf_text(&text, " ]; }; };");
    }
    buf_text(&text, "}; }; };");
    config = load_buf(fixture, catalog, &text, &errors);
    tap_ok(!config && strstr(errors.data, "more than 200000 checks"), "checks");
    buf_close(&errors);

    for (int i = 0; i < 600000; i++)
        buf_text(&text, "# much said\n# too much\n");
    config = load_buf(fixture, catalog, &text, &errors);
    tap_ok(!config && strstr(errors.data, "larger than 8 MiB"), "bytes of a file");
    buf_close(&errors);

    buf_text(&text, "x = ");
    for (int i = 0; i < 100000; i++)
        buf_char(&text, '(');
    config = load_buf(fixture, catalog, &text, &errors);
    tap_ok(!config && strstr(errors.data, "more than 32 brackets"), "nesting");
    buf_close(&errors);
}

static void test_long_chain(struct fixture *fixture, const struct catalog *catalog)
{
    struct buf text = { 0 }, errors = { 0 };
    buf_text(&text, "services = ( { name = \"s0\"; checks: { b: { plugin = \"null\"; }; }; }");
    for (int i = 1; i < 20000; i++)
        buf_print(&text, ", { name = \"s%d\"; depends = \"s%d\"; checks: { b: { plugin = \"null\"; }; }; }\n", i,
                  i - 1);
    buf_text(&text, ");");
    struct config *config = load_buf(fixture, catalog, &text, &errors);
    tap_ok(config != NULL, "services that depend on those before them, 20000 in a row");
    buf_close(&errors);
    config_close(&config);

    buf_text(&text, "services = ( { name = \"s0\"; checks: { b: { plugin = \"null\"; }; }; }");
    for (int i = 20000; i > 0; i--)
        buf_print(&text, ", { name = \"s%d\"; depends = \"s%d\"; checks: { b: { plugin = \"null\"; }; }; }\n", i,
                  i - 1);
    buf_text(&text, ");");
    config = load_buf(fixture, catalog, &text, &errors);
    tap_ok(!config && strstr(errors.data, "services depend on each other in a row"), "the other way there is a bound");
    buf_close(&errors);
}

/* Ten thousand checks in a hundred files. The bound is wide: the machine is shared; the figure is printed. */
static void test_speed(struct fixture *fixture, const struct catalog *catalog)
{
    fixture_write(fixture, "belfry.conf", "defaults: { every = \"60s\"; }; templates: { t: { attempts = 3; }; };");
    for (int f = 0; f < 100; f++) {
        struct buf text = { 0 };
        char name[32];
        buf_text(&text, "services: {\n");
        for (int s = 0; s < 10; s++) {
            buf_print(&text, "  s%d-%d: { title = \"Service\"; use = \"t\"; checks: {\n", f, s);
            for (int c = 0; c < 10; c++)
                buf_print(
                    &text,
                    "    c%d: { plugin = \"http\"; url = \"https://www%d.example.net/\"; expect_status = \"200\";\n"
                    "      thresholds: { time_total = { warn = \"1\"; crit = \"5\"; }; }; };\n",
                    c, c);
            buf_text(&text, "  }; };\n");
        }
        buf_text(&text, "};\n");
        snprintf(name, sizeof(name), "conf.d/%03d.conf", f);
        fixture_write_bytes(fixture, name, text.data, text.length, 0644);
        buf_close(&text);
    }
    int64_t begin = clock_now_ns();
    struct config *config = fixture_load(fixture, catalog, NULL);
    double ms = (double)(clock_now_ns() - begin) / 1e6;
    tap_ok(config && config->check_count == 10000, "ten thousand checks");
    printf("# read in %.0f ms, %.1f MiB\n", ms, config ? (double)config->arena.used_bytes / 1048576 : 0);
    tap_ok(ms < 5000, "in time");
    config_close(&config);
}

/* ---- marks, show --------------------------------------------------------------------------------------------- */

static const char *const full =
    "run_dir = \"r\"; journal: { segment = \"1MiB\"; };\n"
    "series: { archives = ( { point = \"step\"; keep = \"1d\"; }, { point = \"90s\"; keep = \"30d\"; } ); keep_parts = "
    "\"30d\";\n"
    "  rrdcached = \"unix:/run/rrdcached.sock\"; };\n"
    "plugins: { tcp: { workers = 3; }; exec: { concurrency = 5; }; };\n"
    "breakers: { cloud: { failures = 7; open = \"1500ms\"; }; };\n"
    "services: {\n"
    "  web: { title = \"The \\\"web\\\" \\\\ \\n $x\"; severity = \"sev2\"; depends = \"db\"; checks: {\n"
    "    page: { plugin = \"http\"; url = \"https://$host/\"; password = \"@web\"; header: { Accept = \"$$host\"; A-b "
    "= \"2\"; };\n"
    "      each = { host = [ \"web1\", \"10.0.0.1\" ]; }; title = \"$host $$\"; expect_status = [ \"^2..$$\", \"$\" "
    "];\n"
    "      thresholds: { size = { warn = \"@5:10\"; crit = \"\"; }; }; };\n"
    "    port: { plugin = \"tcp\"; port = 80; breaker = \"cloud\"; ratio = 0.1; pause = \"1.5s\"; retry = { attempts = "
    "4;\n"
    "      backoff = [ \"1s\", \"250ms\" ]; }; flapping = { low = 2.5; high = 33.3; }; };\n"
    "  }; };\n"
    "  db: { checks = ( { name = \"a.b\"; plugin = \"exec\"; command = [ \"/bin/echo\", \"a;b\", \"\" ]; env: { }; "
    "enabled = false; archives = ( { point = \"step\"; keep = \"7d\"; } ); renamed = { old = \"new one\"; };\n"
    "    thresholds = ( { metric = \"it's\"; part = \"p\"; crit = \"~:1e3\"; } ); } ); };\n"
    "};\n";

static struct config *load_full(struct fixture *fixture, const struct catalog *catalog)
{
    fixture_write_bytes(fixture, "secrets/web", "hunter2\n", 8, 0600);
    return load_text(fixture, catalog, full);
}

static void test_show(struct fixture *fixture, const struct catalog *catalog)
{
    struct buf first = { 0 }, second = { 0 }, json = { 0 };
    struct config *config = load_full(fixture, catalog);
    tap_ok(config != NULL, "a configuration with everything");
    if (!config)
        return;
    config_show(config, catalog, &first);
    config_show_json(config, catalog, &json);
    struct config *again = load_text(fixture, catalog, first.data);
    tap_ok(again != NULL, "what is shown can be read");
    if (again)
        config_show(again, catalog, &second);
    tap_is_text(second.data, first.data, "and gives the same model");
    bool same = again && again->check_count == config->check_count;
    for (uint32_t i = 0; same && i < config->check_count; i++)
        same = config->checks[i].schedule_mark == again->checks[i].schedule_mark &&
               config->checks[i].task_mark == again->checks[i].task_mark &&
               strcmp(config->checks[i].title, again->checks[i].title) == 0;
    tap_ok(same, "with the same marks and titles");
    tap_ok(!strstr(first.data, "hunter2") && strstr(first.data, "\"@web\""), "a secret shows as its reference");
    json_error_t error;
    json_t *root = json_loads(json.data, JSON_REJECT_DUPLICATES, &error);
    tap_ok(root != NULL, "the JSON is JSON");
    json_t *check = json_array_get(json_object_get(json_array_get(json_object_get(root, "services"), 0), "checks"), 1);
    tap_is_text(json_string_value(json_object_get(check, "name")), "page@10.0.0.1", "with every check");
    json_decref(root);
    config_close(&config);
    config_close(&again);
    buf_close(&first);
    buf_close(&second);
    buf_close(&json);
}

/* Loads a check with these settings and gives its marks. */
static void marks(struct fixture *fixture, const struct catalog *catalog, const char *settings, uint64_t out[2])
{
    char text[512];
    snprintf(text, sizeof(text),
             "breakers: { x: { failures = 3; }; y: { failures = 3; }; };\nservices: { a: { checks: { b: { plugin = "
             "\"tcp\"; %s }; }; }; };",
             settings);
    struct config *config = load_text(fixture, catalog, text);
    tap_ok(config != NULL, "taken: %s", settings);
    out[0] = config ? config->checks[0].schedule_mark : 0;
    out[1] = config ? config->checks[0].task_mark : 0;
    config_close(&config);
}

static void test_marks(struct fixture *fixture, const struct catalog *catalog)
{
    static const char *const schedules[] = { "every = \"61s\";",
                                             "timeout = \"9s\";",
                                             "attempts = 3;",
                                             "retry_every = \"5s\";",
                                             "enabled = false;",
                                             "breaker = \"x\";",
                                             "flapping = false;",
                                             "breaker = { failures = 4; };",
                                             "severity = \"sev1\";",
                                             "retry = { attempts = 2; };",
                                             "retry = { backoff = [ \"1s\" ]; };",
                                             "thresholds: { latency = { warn = \"1\"; }; };",
                                             "flapping = { low = 4; };" };
    static const char *const tasks[] = { "host = \"b\";", "ratio = 1;", "count = 1;" };
    uint64_t base[2], got[2], other[2];
    char text[256];
    marks(fixture, catalog, "port = 80;", base);
    marks(fixture, catalog, "port = \"80\"; every = \"60s\"; attempts = 2;", got);
    tap_ok(got[0] == base[0] && got[1] == base[1], "what is said in other words is the same");
    marks(fixture, catalog, "port = 80; breaker = \"x\";", got);
    marks(fixture, catalog, "port = 80; breaker = \"y\";", other);
    tap_ok(got[0] != other[0], "another shared breaker of the same numbers is another schedule");
    for (size_t i = 0; i < sizeof(schedules) / sizeof(schedules[0]); i++) {
        snprintf(text, sizeof(text), "port = 80; %s", schedules[i]);
        marks(fixture, catalog, text, got);
        tap_ok(got[0] != base[0] && got[1] == base[1], "the schedule changed, the task did not");
    }
    for (size_t i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++) {
        snprintf(text, sizeof(text), "port = 80; %s", tasks[i]);
        marks(fixture, catalog, text, got);
        tap_ok(got[0] == base[0] && got[1] != base[1], "the task changed, the schedule did not");
    }
}

/* ---- secrets ------------------------------------------------------------------------------------------------- */

static int resolve(const struct config *config, const struct catalog *catalog, struct arena *arena, const char **out,
                   struct why *why)
{
    struct task task;
    const struct check_config *check = config_check_find(config, "web/page@web1");
    int code = config_task_resolve(config, check, catalog_find(catalog, "http"), arena, &task, why);
    const struct task_option *option = code == 0 ? task_option_find(&task, "password") : NULL;
    *out = option ? option->values[0] : NULL;
    return code;
}

static void test_secrets(struct fixture *fixture, const struct catalog *catalog)
{
    struct arena arena = { 0 };
    struct why why = { "" };
    const char *got;
    struct config *config = load_full(fixture, catalog);
    if (!config)
        return;
    tap_is_text(option_value(config, "web/page@web1", "password"), "@web", "the model holds the reference");
    tap_is_int(resolve(config, catalog, &arena, &got, &why), 0, "the task is resolved");
    tap_is_text(got, "hunter2", "one newline at the end is removed");
    fixture_write_bytes(fixture, "secrets/web", "a\n\n", 3, 0400);
    resolve(config, catalog, &arena, &got, &why);
    tap_is_text(got, "a\n", "only one");

    fixture_write_bytes(fixture, "secrets/web", "hunter2", 7, 0644);
    tap_is_int(resolve(config, catalog, &arena, &got, &why), ERROR_REFUSED, "readable by others: refused");
    tap_ok(strstr(why.text, "chmod") && !strstr(why.text, "hunter2"), "with the remedy, without the secret");
    char *large = heap_alloc(70000);
    memset(large, 'x', 70000);
    fixture_write_bytes(fixture, "secrets/web", large, 65537, 0600);
    tap_ok(resolve(config, catalog, &arena, &got, &why) < 0, "more than 64 KiB: refused");
    fixture_write_bytes(fixture, "secrets/web", large, 65536, 0600);
    tap_is_int(resolve(config, catalog, &arena, &got, &why), 0, "64 KiB: taken");
    fixture_write_bytes(fixture, "secrets/web", "a\0b", 3, 0600);
    tap_ok(resolve(config, catalog, &arena, &got, &why) < 0, "a NUL byte: refused");
    free(large);

    fixture_write_bytes(fixture, "credentials/web", "credential", 10, 0440);
    setenv("CREDENTIALS_DIRECTORY", file_join(&arena, fixture->folder, "credentials"), 1);
    resolve(config, catalog, &arena, &got, &why);
    tap_is_text(got, "credential", "a systemd credential comes first");
    setenv("CREDENTIALS_DIRECTORY", file_join(&arena, fixture->folder, "none"), 1);
    fixture_write_bytes(fixture, "secrets/web", "file", 4, 0600);
    resolve(config, catalog, &arena, &got, &why);
    tap_is_text(got, "file", "without one of that name the file is read");
    unsetenv("CREDENTIALS_DIRECTORY");
    arena_close(&arena);
    config_close(&config);
}

/* ---- catalog ------------------------------------------------------------------------------------------------- */

static void test_catalog(void)
{
    struct catalog *catalog = fixture_catalog();
    tap_is_int(catalog->plugin_count, 4, "four plugins");
    tap_is_text(catalog->plugins[0]->name, "exec", "sorted by name");
    tap_is_text(catalog_find(catalog, "tcp")->path, "/plugins/tcp.so", "found by name, with its path");
    tap_is_int(catalog_find(catalog, "tcp")->file_mark, 42, "and the file's mark");
    tap_ok(!catalog_find(catalog, "redis") && !catalog_find(catalog, "") && !catalog_find(catalog, "zz"),
           "others are not");
    tap_is_int(fixture_take_plugin(catalog, &fixture_plugins_[0], "/also/tcp.so"), 0, "a second file of one name");
    fixture_take_rejection(catalog, "/a.so", "no");
    catalog_finish(catalog);
    tap_is_int(catalog->plugin_count, 4, "is no plugin");
    tap_is_text(catalog->rejections[1].path, "/also/tcp.so", "but a rejection, sorted by path");
    tap_ok(strstr(catalog->rejections[1].why, "/plugins/tcp.so") != NULL, "that names the first");

    struct buf frame = { 0 };
    size_t begin = wire_begin(&frame, WIRE_REJECTED);
    wire_put_text(&frame, "/x.so");
    wire_end(&frame, begin);
    tap_is_int(fixture_take_(catalog, &frame), ERROR_PROTOCOL, "a frame cut short");
    begin = wire_begin(&frame, WIRE_CATALOG);
    wire_put_text(&frame, "/x.so");
    wire_put_u64(&frame, 1);
    wire_put_text(&frame, "nonsense");
    wire_end(&frame, begin);
    tap_is_int(fixture_take_(catalog, &frame), ERROR_PROTOCOL, "a frame of nonsense");
    begin = wire_begin(&frame, WIRE_PONG);
    wire_put_u64(&frame, 1);
    wire_end(&frame, begin);
    tap_is_int(fixture_take_(catalog, &frame), ERROR_PROTOCOL, "a frame of another kind");
    catalog_close(&catalog);
    tap_ok(!catalog, "closed");
}

int main(void)
{
    struct catalog *catalog = fixture_catalog();
    static void (*const tests[])(struct fixture *, const struct catalog *) = {
        test_defaults, test_merging,    test_each,  test_thresholds, test_files, test_no_file,
        test_bounds,   test_long_chain, test_speed, test_show,       test_marks, test_secrets,
    };
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        struct fixture fixture;
        fixture_open(&fixture);
        tests[i](&fixture, catalog);
        fixture_close(&fixture);
    }
    struct fixture fixture;
    fixture_open(&fixture);
    test_relative_name(&fixture);
    fixture_close(&fixture);
    test_catalog();
    catalog_close(&catalog);
    return tap_done();
}
