/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * URLs, and the secrets in them and in other names of images. A secret is a
 * password, but not the name of a user.
 */
#ifndef COMMON_URL_H
#define COMMON_URL_H

#include <stdbool.h>
#include <stddef.h>

/* A part of a text. No start: it is not there. */
struct span {
    const char *start;
    size_t len;
};

struct url {
    struct span scheme;
    /* By RFC 3986, with their escapes: */
    struct span user, password;
    struct span host; /* all from the host on */
    /* What may be the password, for a user who did not escape it: it can reach
     * over a '/' or '@'. Not empty. */
    struct span secret;
};

/* Take a text apart. False: it does not begin with "SCHEME://". */
bool url_parse(const char *text, struct url *url);

/* Whether so much of a text is "HOST", "HOST:" or "HOST:PORT". */
bool url_is_host(const char *text, size_t len);

/* Whether "PORT/" is at the front of a text. */
bool url_has_port(const char *text);

/* The text with its escapes (%2F) undone, to be freed. NULL, and the reason in
 * errno: ENOMEM; EINVAL, it has a NUL byte. */
char *url_decode(struct span text);

/* What stands in the place of a secret. */
#define SECRET_MASK "***"

/*
 * A search for the secrets of a name, or of a text with names in it, from front
 * to back. It takes time in proportion to the text.
 */
struct secrets {
    const char *start; /* of the text */
    const char *end;
    const char *next; /* where to go on */
    bool whole;       /* it is one name */
    bool is_json;     /* strings begin and end with quotes, and escape these */
    bool is_object;   /* it has the word "secret" */

    /* To look once, however often it matters. NULL: there is none. */
    const char *last_at;  /* the last "@" */
    const char *rbd;      /* the first "rbd:" */
    const char *limit;    /* where the next URL begins, or end, */
    const char *limit_at; /*     and the last "@" before that */
};

void secrets_begin(struct secrets *secrets, const char *name);

/* False: there are no more. A secret is not empty. */
bool secrets_next(struct secrets *secrets, struct span *secret);

/* Whether a name has a secret: a URL, an option string or json: of QEMU's, or
 * the words of a command. When in doubt it has one. */
bool has_secret(const char *name);

/* Whether a secret of a name is the mask: the name is a copy that was shown. */
bool has_mask(const char *name);

/* A copy of a name for people, with *** in the place of each secret; to be
 * freed. NULL when out of memory. */
char *mask_name(const char *name);

/* The same for a text that has names in it. Where a name begins and ends is
 * sure only for one that is known (or NULL): for others too much may be masked,
 * never too little. */
char *mask_text(const char *text, const char *known);

/* Put x in the place of each byte of each secret in a name. */
void wipe_secrets(char *name);

#endif
