/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/mask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/secrets.h"

bool has_mask(const char *name)
{
    struct secrets s;
    struct span secret;

    secrets_begin(&s, name);
    while (secrets_next(&s, &secret)) {
        if (span_is(secret, SECRET_MASK))
            return true;
    }
    return false;
}

void wipe_secrets(char *name)
{
    struct secrets s;
    struct span secret, next;

    secrets_begin(&s, name);
    /* Find the next secret while this one is still as it was. */
    for (bool more = secrets_next(&s, &secret); more; secret = next) {
        more = secrets_next(&s, &next);
        memset(name + (secret.start - name), 'x', secret.len);
    }
}

static void write_masked(FILE *f, struct secrets *s)
{
    const char *p = s->start;
    struct span secret;

    while (secrets_next(s, &secret)) {
        fwrite(p, 1, secret.start - p, f);
        fputs(SECRET_MASK, f);
        p = secret.start + secret.len;
    }
    fwrite(p, 1, s->end - p, f);
}

/* Close a stream in memory, and return its text. NULL if a write failed. */
static char *finish(FILE *f, char **text)
{
    if (fclose(f) == 0)
        return *text;
    free(*text);
    return NULL;
}

/* whole: the text is a name. */
static char *mask_plain(const char *text, bool whole)
{
    char *masked = NULL;
    struct secrets s;
    size_t size;
    FILE *f = open_memstream(&masked, &size);

    if (!f)
        return NULL;
    if (whole)
        secrets_begin(&s, text);
    else
        secrets_begin_text(&s, span_between(text, text + strlen(text)));
    write_masked(f, &s);
    return finish(f, &masked);
}

/* Escapes may hide a secret. Where there is none, they stay. */
static char *mask(const char *text, bool whole)
{
    char *masked = mask_plain(text, whole);
    char *plain, *more;

    if (!masked || !strstr(masked, "\\u00"))
        return masked;
    plain = strdup(masked);
    if (plain)
        secrets_unescape(plain);
    more = plain ? mask_plain(plain, whole) : NULL;
    if (more && strcmp(more, plain) == 0) {
        free(more);
    } else {
        free(masked);
        masked = more;
    }
    free(plain);
    return masked;
}

char *mask_name(const char *name)
{
    return mask(name, true);
}

/* Write what is before a name in a text, or at its end. */
static bool write_text(FILE *f, const char *text, size_t len)
{
    char *piece = strndup(text, len);
    char *masked = piece ? mask(piece, false) : NULL;
    bool done = masked && fputs(masked, f) >= 0;

    free(masked);
    free(piece);
    return done;
}

/* known: a name with secrets, which may be masked already, and its copy without
 * them. */
static char *mask_around(const char *text, const char *known,
                         const char *known_masked)
{
    char *masked = NULL;
    const char *name;
    bool done = true;
    size_t size;
    FILE *f = open_memstream(&masked, &size);

    if (!f)
        return NULL;
    while (done && (name = strstr(text, known))) {
        done = write_text(f, text, name - text) && fputs(known_masked, f) >= 0;
        text = name + strlen(known);
    }
    done = done && write_text(f, text, strlen(text));
    masked = finish(f, &masked);
    if (done)
        return masked;
    free(masked);
    return NULL;
}

char *mask_text(const char *text, const char *known)
{
    char *known_masked = known ? mask_name(known) : NULL, *masked;

    if (known && !known_masked)
        return NULL;
    if (known && (has_secret(known) || strcmp(known_masked, known) != 0))
        masked = mask_around(text, known, known_masked);
    else
        masked = mask(text, false);
    free(known_masked);
    return masked;
}
