/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_config_fuzz - thousands of seeded mutations of a good configuration: whatever stands in the files, reading them
 * ends with a model or with errors, and what was read can be shown and read again. Run it with sanitizers.
 * `test_config_fuzz SEED ROUNDS` tries others. */
#include "config_fixture.h"

static const char original[] =
    "state_dir = \"state\"; run_dir = \"run\"; plugin_dirs = [ \"plugins\" ];\n"
    "journal: { segment = \"16MiB\"; };\n"
    "series: { archives = ( { point = \"step\"; keep = \"2d\"; }, { point = \"5m\"; keep = \"2w\"; } ); };\n"
    "defaults: { every = \"60s\"; timeout = \"10s\"; attempts = 2; retry = { attempts = 3; backoff = [ \"1s\" ]; }; "
    "};\n"
    "templates: {\n@include \"more.inc\" /* a comment */ # another\n"
    "critical: { every = \"20s\"; severity = \"sev1\"; thresholds: { size = { crit = \"5:\"; }; }; }; };\n"
    "breakers: { cloud: { failures = 5; open = \"30s\"; open_max = \"5m\"; }; };\n"
    "plugins: { tcp: { workers = 2; concurrency = 100; }; };\n"
    "services: {\n"
    "  web: { title = \"Web \\\"x\\\"\"; use = \"critical\"; depends = [ \"db\" ];\n"
    "    checks: {\n"
    "      page: { plugin = \"http\"; url = \"https://$host/\"; each = { host = [ \"web1\", \"web2\" ]; };\n"
    "        header: { Accept = \"text/html\"; }; expect_status = [ \"200\", \"3xx\" ]; title = \"page on ${host}\"; "
    "};\n"
    "      port: { plugin = \"tcp\"; port = 443; breaker = \"cloud\"; pause = \"1.5s\"; ratio = 2.5; flapping = false; "
    "};\n"
    "    }; };\n"
    "  db: { checks = ( { name = \"x@y\"; plugin = \"exec\"; command = ( \"/bin/true\", 5 );\n"
    "    thresholds = ( { metric = \"a b\"; part = \"c\"; warn = \"@1:2\"; crit = \"\"; } ); } ); };\n"
    "};\n";

static const char *const pieces[] = { "{",          "}",
                                      "(",          ")",
                                      "[",          "]",
                                      ";",          ",",
                                      "=",          ":",
                                      "\"",         "\\",
                                      "#",          "/*",
                                      "*/",         "//",
                                      "\n",         "\\x00",
                                      "\\x",        "@",
                                      "@include",   "$",
                                      "${",         "$$",
                                      "4294967296", "-9223372036854775809",
                                      "1e400",      "0x7f",
                                      "007",        "\xff",
                                      "\xe2\x82",   "name",
                                      "use",        "each",
                                      "checks",     "true",
                                      ".",          "\"\"",
                                      "services: {" };
#define PIECES (sizeof(pieces) / sizeof(pieces[0]))

/* Bytes that often leave the file readable. */
static const char plain[] = "abcsmhxyz0123456789-._$ ";

static uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* One to four changes: a piece put in, a stretch taken out, doubled, or a byte changed. */
static void mutate(struct buf *text, uint64_t *seed)
{
    for (uint64_t changes = 1 + random_next(seed) % 4; changes > 0 && text->length > 0; changes--) {
        size_t at = random_next(seed) % text->length;
        size_t n = 1 + random_next(seed) % (random_next(seed) % 4 ? 8 : 200);
        n = n > text->length - at ? text->length - at : n;
        struct buf next = { 0 };
        uint64_t kind = random_next(seed) % 6;
        const char *piece = pieces[random_next(seed) % PIECES];
        buf_add(&next, text->data, at);
        kind = kind > 3 ? 2 : kind;
        if (kind == 0)
            buf_text(&next, piece);
        else if (kind == 1)
            buf_add(&next, text->data + at, n);
        else if (kind == 2)
            buf_char(&next,
                     random_next(seed) % 8 ? plain[random_next(seed) % (sizeof(plain) - 1)] : (char)random_next(seed));
        size_t rest = kind < 2 ? at : kind == 2 ? at + 1 : at + n;
        buf_add(&next, text->data + rest, text->length - rest);
        buf_close(text);
        *text = next;
    }
}

static bool again(const struct fixture *fixture, const struct catalog *catalog, const struct config *config)
{
    struct buf shown = { 0 }, second = { 0 }, errors = { 0 };
    config_show(config, catalog, &shown);
    fixture_write_bytes(fixture, "belfry.conf", shown.data, shown.length, 0644);
    struct config *reread = fixture_load(fixture, catalog, &errors);
    if (reread)
        config_show(reread, catalog, &second);
    else
        printf("# shown configuration is refused:\n# %s\n", errors.data);
    bool good = reread && strcmp(shown.data, second.data) == 0;
    config_close(&reread);
    buf_close(&shown);
    buf_close(&second);
    buf_close(&errors);
    return good;
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 20261121;
    unsigned rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 0) : 4000;
    unsigned good = 0, refused = 0, strange = 0;
    struct catalog *catalog = fixture_catalog();
    struct fixture fixture;
    fixture_open(&fixture);
    fixture_write(&fixture, "more.inc", "from_include: { };");
    for (unsigned i = 0; i <= rounds; i++) {
        struct buf text = { 0 }, errors = { 0 };
        buf_text(&text, original);
        if (i > 0)
            mutate(&text, &seed);
        fixture_write_bytes(&fixture, "belfry.conf", text.data, text.length, 0644);
        struct config *config = fixture_load(&fixture, catalog, &errors);
        if (i == 0)
            tap_is_text(errors.data ? errors.data : "", "", "the original is good");
        strange += config ? errors.length > 0 : errors.length == 0;
        if (config && !again(&fixture, catalog, config)) {
            strange++;
            printf("# round %u\n", i);
        }
        good += config != NULL;
        refused += config == NULL;
        config_close(&config);
        buf_close(&text);
        buf_close(&errors);
    }
    tap_is_int(strange, 0, "a model or errors, and a model can be shown and read again");
    tap_ok(good > rounds / 100 && refused > rounds / 2, "%u were good, %u refused", good, refused);
    fixture_close(&fixture);
    catalog_close(&catalog);
    return tap_done();
}
