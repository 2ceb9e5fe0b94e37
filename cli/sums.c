/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/sums.h"

#include <stdlib.h>
#include <string.h>

#include "blkhash.h"
#include "cli/output.h"
#include "cli/safe-text.h"
#include "cli/sum-tag.h"
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

    if (strstr(name, "\\u00")) { /* an escape that may hide a secret */
        char *masked = mask_name(name);

        p = masked ? masked : SECRET_MASK;
        write_text(f, p, p + strlen(p), style);
        free(masked);
        return;
    }
    secrets_begin(&secrets, name);
    while (secrets_next(&secrets, &secret)) {
        write_text(f, p, secret.start, style);
        fputs(SECRET_MASK, f);
        p = secret.start + secret.len;
    }
    write_text(f, p, p + strlen(p), style);
}

static void write_hex(FILE *f, const struct sums_line *line)
{
    static const char digits[] = "0123456789abcdef";
    char hex[2 * BLKHASH_MAX_MD_SIZE] = "";

    for (unsigned i = 0; i < line->md_len; i++) {
        hex[2 * i] = digits[line->md[i] >> 4];
        hex[2 * i + 1] = digits[line->md[i] & 15];
    }
    fwrite(hex, 1, 2 * line->md_len, f);
}

void sums_write(FILE *f, const struct list_options *o,
                const struct sums_line *line)
{
    struct style style = {
        .escape = !o->zero && wants_escapes(line->name),
        .safe = output_is_seen(),
    };

    if (style.escape)
        putc('\\', f);
    if (o->tag) {
        sum_tag_write(f, line->digest, line->block_size, &line->part);
        fputs(" (", f);
        write_name(f, line->name, style);
        fputs(") = ", f);
        write_hex(f, line);
    } else {
        write_hex(f, line);
        fputs("  ", f);
        write_name(f, line->name, style);
    }
    putc(o->zero ? 0 : '\n', f);
}

void sums_write_verdict(FILE *f, const char *name, const struct sum_part *part,
                        const char *verdict)
{
    struct style style = {
        .escape = wants_escapes(name),
        .safe = output_is_seen(),
    };

    if (style.escape)
        putc('\\', f);
    write_name(f, name, style);
    if (sum_part_write(f, part, " ("))
        putc(')', f);
    fprintf(f, ": %s\n", verdict);
}
