/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/sums.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "cli/safe-text.h"
#include "cli/sum.h"
#include "common/units.h"
#include "common/mask.h"
#include "common/secrets.h"

static bool wants_escapes(const char *name)
{
    return strpbrk(name, "\\\n\r") != NULL;
}

/* How a name is written. */
struct style {
    bool escape; /* backslash, newline and carriage return, as GNU does */
    bool safe;   /* what could drive a terminal: safe-text.h */
};

/* Write the first character of a text; returns its bytes. */
static unsigned write_character(FILE *f, const char *text, struct style style)
{
    static const char special[] = "\\\n\r";
    const char *found = style.escape ? strchr(special, *text) : NULL;

    if (found)
        fprintf(f, "\\%c", "\\nr"[found - special]);
    else if (style.safe)
        return safe_write_character(f, text);
    else
        putc(*text, f);
    return 1;
}

static void write_text(FILE *f, const char *text, const char *end,
                       struct style style)
{
    while (text < end)
        text += write_character(f, text, style);
}

/* A list is kept and shown to others, so it has no secrets. */
static void write_name(FILE *f, const char *name, struct style style)
{
    const char *p = name;
    struct secrets secrets;
    struct span secret;

    secrets_begin(&secrets, name);
    while (secrets_next(&secrets, &secret)) {
        write_text(f, p, secret.start, style);
        fputs(SECRET_MASK, f);
        p = secret.start + secret.len;
    }
    write_text(f, p, p + strlen(p), style);
}

static void write_hex(FILE *f, const struct engine_result *r)
{
    for (unsigned i = 0; i < r->md_len; i++)
        fprintf(f, "%02x", r->md[i]);
}

void sums_write_plain(FILE *f, const struct options *o,
                      const struct checksum *c)
{
    struct style style = { .escape = !o->list.zero && wants_escapes(c->name) };

    if (style.escape)
        putc('\\', f);
    write_hex(f, &c->result);
    fputs("  ", f);
    write_name(f, c->name, style);
    putc(o->list.zero ? 0 : '\n', f);
}

/* Write the shortest exact text of a size: "64K", "1M", "512". */
static void write_size(FILE *f, size_t size)
{
    if (size % MiB == 0)
        fprintf(f, "%zuM", (size_t)(size / MiB));
    else if (size % KiB == 0)
        fprintf(f, "%zuK", (size_t)(size / KiB));
    else
        fprintf(f, "%zu", size);
}

void sums_write_tag(FILE *f, const struct options *o, const struct checksum *c)
{
    struct style style = { .escape = !o->list.zero && wants_escapes(c->name) };

    if (style.escape)
        putc('\\', f);
    fputs(SUM_TAG, f);
    for (const char *p = o->engine.digest; *p; p++)
        putc(toupper((unsigned char)*p), f);
    putc('-', f);
    write_size(f, o->engine.block_size);
    fputs(" (", f);
    write_name(f, c->name, style);
    fputs(") = ", f);
    write_hex(f, &c->result);
    putc(o->list.zero ? 0 : '\n', f);
}

void sums_write_verdict(FILE *f, const char *name, const char *verdict)
{
    struct style style = {
        .escape = wants_escapes(name),
        .safe = isatty(fileno(f)),
    };

    if (style.escape)
        putc('\\', f);
    write_name(f, name, style);
    fprintf(f, ": %s\n", verdict);
}
