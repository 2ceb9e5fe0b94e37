/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/tls-object.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/array.h"
#include "qemu/options.h"

/* QEMU's names: of the file in the directory, and of the user by default. */
#define PSK_FILE "keys.psk"
#define PSK_USERNAME "qemu"

/* Take "VALUE,..." from the start of the text. A comma in the value is doubled.
 * NULL when out of memory. */
static char *take_value(const char **text)
{
    char *value = malloc(strlen(*text) + 1);
    char *end = value;
    const char *p = *text;

    if (!value)
        return NULL;
    while (*p && (*p != ',' || p[1] == ',')) {
        p += *p == ',';
        *end++ = *p++;
    }
    *end = '\0';
    *text = *p ? p + 1 : p;
    return value;
}

/* Take "KEY=VALUE,..." from the start of the text. Without "=" the key is NULL.
 */
static int take_pair(const char **text, char **key, char **value)
{
    size_t len = strcspn(*text, "=,");

    *key = NULL;
    if ((*text)[len] == '=') {
        *key = strndup(*text, len);
        if (!*key)
            return ENOMEM;
        *text += len + 1;
    }
    *value = take_value(text);
    if (*value)
        return 0;
    free(*key);
    return ENOMEM;
}

static void replace(char **text, char *value)
{
    free(*text);
    *text = value;
}

/* Set the problem, unless there is one. */
static int set_problem(struct nbd_options *nbd, const char *format,
                       const char *word)
{
    if (nbd->tls_problem)
        return 0;
    if (asprintf(&nbd->tls_problem, format, word) >= 0)
        return 0;
    nbd->tls_problem = NULL;
    return ENOMEM;
}

/* Take the words of QEMU for on and off. Any other word is a problem. */
static int set_verify_peer(struct nbd_options *nbd, const char *value)
{
    static const char *const on[] = { "on", "yes", "true", "y" };
    static const char *const off[] = { "off", "no", "false", "n" };

    for (size_t i = 0; i < ARRAY_SIZE(on); i++) {
        bool is_off = strcmp(value, off[i]) == 0;

        if (is_off || strcmp(value, on[i]) == 0) {
            nbd->tls_trust_any = is_off;
            return 0;
        }
    }
    return set_problem(nbd, "verify-peer must be on or off, not '%s'", value);
}

/* Set the option of one pair. */
static int set(struct nbd_options *nbd, const char *key, char **value,
               char **directory, bool is_psk)
{
    char **text = NULL;

    if (strcmp(key, "dir") == 0)
        text = directory;
    else if (strcmp(key, "username") == 0 && is_psk)
        text = &nbd->tls_username;
    if (text) {
        replace(text, *value);
        *value = NULL;
        return 0;
    }
    if (strcmp(key, "verify-peer") == 0)
        return set_verify_peer(nbd, *value);
    if (strcmp(key, "endpoint") == 0)
        return strcmp(*value, "client") == 0
                   ? 0
                   : set_problem(nbd, "the endpoint must be '%s'", "client");
    /* sanity-check: QEMU checks its own files. The server is verified anyway.
     */
    if (strcmp(key, "qom-type") == 0 || strcmp(key, "id") == 0 ||
        (strcmp(key, "sanity-check") == 0 && !is_psk))
        return 0;
    if (strcmp(key, "priority") == 0 || strcmp(key, "passwordid") == 0)
        return set_problem(nbd, "'%s' is supported by QEMU only", key);
    return set_problem(nbd, "unknown option '%s'", key);
}

/* Find the type of an object. It can be anywhere; in the first place it needs
 * no key. The last one counts, as in QEMU. NULL: there is none. The caller
 * frees it, also after an error. */
static int find_kind(const char *text, char **kind)
{
    bool first = true;

    *kind = NULL;
    while (*text) {
        char *key, *value;
        int err = take_pair(&text, &key, &value);

        if (err)
            return err;
        if (key ? strcmp(key, "qom-type") == 0 : first)
            replace(kind, value);
        else
            free(value);
        free(key);
        first = false;
    }
    return 0;
}

static int parse_pairs(const char *text, struct nbd_options *nbd,
                       char **directory, bool is_psk)
{
    bool first = true;

    while (*text) {
        char *key, *value;
        int err = take_pair(&text, &key, &value);

        if (err)
            return err;
        if (key)
            err = set(nbd, key, &value, directory, is_psk);
        else if (!first)
            err = set_problem(
                nbd, "options must have the form KEY=VALUE, not '%s'", value);
        free(key);
        free(value);
        if (err)
            return err;
        first = false;
    }
    return 0;
}

/* Set the files of the credentials. Takes ownership of the directory. */
static int set_kind(struct nbd_options *nbd, char *directory, bool is_psk)
{
    if (!directory || !*directory) {
        free(directory);
        return set_problem(nbd, "a directory is required: %s", "dir=DIR");
    }
    if (!is_psk) {
        replace(&nbd->tls_certificates, directory);
        return 0;
    }
    if (asprintf(&nbd->tls_psk_file, "%s/%s", directory, PSK_FILE) < 0)
        nbd->tls_psk_file = NULL;
    free(directory);
    if (!nbd->tls_username)
        nbd->tls_username = strdup(PSK_USERNAME);
    return nbd->tls_psk_file && nbd->tls_username ? 0 : ENOMEM;
}

static int parse_credentials(const char *text, struct nbd_options *nbd,
                             bool is_psk)
{
    char *directory = NULL;
    int err = parse_pairs(text, nbd, &directory, is_psk);

    if (!err)
        return set_kind(nbd, directory, is_psk);
    free(directory);
    return err;
}

/* Whether a type is one of QEMU's for TLS, or looks like a typo of one: if it
 * were ignored, libnbd would use other credentials. */
static bool is_tls_kind(const char *kind)
{
    return strncasecmp(kind, "tls", 3) == 0 &&
           strcmp(kind, "tls-cipher-suites") != 0;
}

/* What the type of an object in JSON says of it. */
struct json_type {
    bool is_known;
    bool is_tls;
};

static bool note_type(FILE *f, const struct qemu_option *option, void *arg)
{
    struct json_type *type = arg;

    (void)f;
    if (!*option->prefix && strcmp(option->key, "qom-type") == 0) {
        type->is_known = true;
        type->is_tls |= is_tls_kind(option->value);
    }
    return false;
}

/* JSON is refused if it may be about credentials: also if no type is found in
 * it, by whatever mistake. */
static int parse_json(const char *text, struct nbd_options *nbd)
{
    struct json_type type = { .is_known = false };
    char *copy = qemu_options_rewrite(text, true, note_type, &type);

    if (!copy)
        return ENOMEM;
    free(copy);
    if (type.is_known && !type.is_tls)
        return 0;
    return set_problem(nbd, "JSON is supported by QEMU only; use %s",
                       "tls-creds-x509,id=ID,dir=DIR");
}

/* Objects that are not credentials are for QEMU only. */
static int parse_object(const char *text, struct nbd_options *nbd,
                        unsigned *found)
{
    bool is_psk;
    char *kind;
    int err;

    if (*text == '{')
        return parse_json(text, nbd);
    err = find_kind(text, &kind);
    if (err || !kind || !is_tls_kind(kind)) {
        free(kind);
        return err;
    }
    is_psk = strcmp(kind, "tls-creds-psk") == 0;
    if ((*found)++)
        err = set_problem(nbd, "%s", "more than one was given");
    else if (is_psk || strcmp(kind, "tls-creds-x509") == 0)
        err = parse_credentials(text, nbd, is_psk);
    else
        err = set_problem(nbd, "'%s' cannot be used for nbds://", kind);
    free(kind);
    return err;
}

int tls_objects_parse(char *const *objects, size_t count,
                      struct nbd_options *nbd)
{
    unsigned found = 0;

    for (size_t i = 0; i < count; i++) {
        int err = parse_object(objects[i], nbd, &found);

        if (err)
            return err;
    }
    return 0;
}

void tls_objects_free(struct nbd_options *nbd)
{
    free(nbd->tls_certificates);
    free(nbd->tls_username);
    free(nbd->tls_psk_file);
    free(nbd->tls_problem);
}
