/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/sums.h"

#include <ctype.h>
#include <string.h>

#include "cli/sum.h"
#include "common/units.h"
#include "common/mask.h"
#include "common/secrets.h"

static bool wants_escapes(const char *name)
{
    return strpbrk(name, "\\\n\r") != NULL;
}

static void write_escaped(FILE *f, const char *text, size_t len, bool escape)
{
    for (const char *p = text; p < text + len; p++) {
        if (!escape)
            putc(*p, f);
        else if (*p == '\\')
            fputs("\\\\", f);
        else if (*p == '\n')
            fputs("\\n", f);
        else if (*p == '\r')
            fputs("\\r", f);
        else
            putc(*p, f);
    }
}

/* Lists are kept, and shown to others: there are no secrets in them. */
static void write_name(FILE *f, const char *name, bool escape)
{
    const char *p = name;
    struct secrets secrets;
    struct span secret;

    secrets_begin(&secrets, name);
    while (secrets_next(&secrets, &secret)) {
        write_escaped(f, p, secret.start - p, escape);
        fputs(SECRET_MASK, f);
        p = secret.start + secret.len;
    }
    write_escaped(f, p, strlen(p), escape);
}

static void write_hex(FILE *f, const struct engine_result *r)
{
    for (unsigned i = 0; i < r->md_len; i++)
        fprintf(f, "%02x", r->md[i]);
}

void sums_write_plain(FILE *f, const struct options *o,
                      const struct checksum *c)
{
    bool escape = !o->list.zero && wants_escapes(c->name);

    if (escape)
        putc('\\', f);
    write_hex(f, &c->result);
    fputs("  ", f);
    write_name(f, c->name, escape);
    putc(o->list.zero ? 0 : '\n', f);
}

/* "64K", "1M", "512": the shortest text of a size that is exact. */
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
    bool escape = !o->list.zero && wants_escapes(c->name);

    if (escape)
        putc('\\', f);
    fputs(SUM_TAG, f);
    for (const char *p = o->engine.digest; *p; p++)
        putc(toupper((unsigned char)*p), f);
    putc('-', f);
    write_size(f, o->engine.block_size);
    fputs(" (", f);
    write_name(f, c->name, escape);
    fputs(") = ", f);
    write_hex(f, &c->result);
    putc(o->list.zero ? 0 : '\n', f);
}

void sums_write_verdict(FILE *f, const char *name, const char *verdict)
{
    bool escape = wants_escapes(name);

    if (escape)
        putc('\\', f);
    write_name(f, name, escape);
    fprintf(f, ": %s\n", verdict);
}
