/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Secrets in the names of images: passwords in URLs, in option strings, JSON
 * and commands. The name of a user is not a secret.
 *
 * What looks like a secret is one: to hide too much is better than too little.
 */
#ifndef COMMON_SECRETS_H
#define COMMON_SECRETS_H

#include "common/span.h"

/* A search for secrets, from the front to the back of a text. The time that it
 * takes is proportional to the length of the text. */
struct secrets {
    const char *start; /* of the text */
    const char *end;
    const char *next; /* where the search goes on */
    bool whole;       /* the text is one name */
    bool is_json;     /* quotes delimit strings, and are escaped in them */
    bool is_object;   /* the text has the word "secret" */
    bool is_command;  /* the text begins with the words of a command */
    bool is_token;    /* the secret that was found last is one in the query of a
                       * URL, to which it belongs */

    /* Looked up once, however often they are used; NULL if there is none. */
    const char *last_at;  /* the last "@" of the text */
    const char *rbd;      /* the first "rbd:" */
    const char *query;    /* the first "?" */
    const char *limit;    /* the next URL, or the end of the text, */
    const char *limit_at; /*     and the last "@" before it */
    struct {
        const char *end; /* of a string in JSON, */
        const char *at;  /* and the last "@" in it */
    } strings[2][2];     /* by its quotes, and whether it is nested */
};

/* Search one name: a path, a URL, an option string, a json: name, or the words
 * of a command. */
void secrets_begin(struct secrets *secrets, const char *name);

/* Search a text that has names in it. */
void secrets_begin_text(struct secrets *secrets, struct span text);

/* Find the next secret, which is not empty. False if there are no more. */
bool secrets_next(struct secrets *secrets, struct span *secret);

/* Whether a name has a secret. */
bool has_secret(const char *name);

/* Undo in place what would hide a secret from a search: \u escapes of printable
 * characters of ASCII, as some programs write "&", "=" and quotes. A double
 * quote becomes \", as other programs write it. The text is for nothing else,
 * as it may not have been JSON. Returns whether there were any. */
bool secrets_unescape(char *text);

/* The password of a URL whose user may not have escaped it: other than by RFC
 * 3986, it may have "/", "?", "#" and "@" in it. Empty if there is none. */
struct span secret_of_url(const char *url);

#endif
