/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/tls-object.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* QEMU's name for this file in the folder, and for who has no other name. */
#define PSK_FILE "keys.psk"
#define PSK_USERNAME "qemu"

/* Take "VALUE,..." from the front of the text: a comma in the value is doubled.
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

static bool is_yes(const char *value)
{
    return strcmp(value, "on") == 0 || strcmp(value, "yes") == 0 ||
           strcmp(value, "true") == 0 || strcmp(value, "y") == 0;
}

static void replace(char **text, char *value)
{
    free(*text);
    *text = value;
}

/* Take a "KEY=VALUE" of the credentials into the options. */
static void set(struct nbd_options *nbd, const char *key, char *value,
                char **folder)
{
    if (strcmp(key, "dir") == 0) {
        replace(folder, value);
        return;
    }
    if (strcmp(key, "username") == 0) {
        replace(&nbd->tls_username, value);
        return;
    }
    if (strcmp(key, "verify-peer") == 0)
        nbd->tls_trust_any = !is_yes(value);
    else if (strcmp(key, "endpoint") == 0 && strcmp(value, "client") != 0)
        nbd->tls_problem = "the endpoint must be 'client'";
    else if (strcmp(key, "priority") == 0 || strcmp(key, "passwordid") == 0)
        nbd->tls_problem = "'priority' and 'passwordid' are for QEMU only";
    free(value);
}

static int parse_keys(const char *text, struct nbd_options *nbd, char **folder)
{
    while (*text) {
        size_t len = strcspn(text, "=,");
        char *key, *value;

        if (text[len] != '=') {
            nbd->tls_problem = "their options have the form KEY=VALUE";
            return 0;
        }
        key = strndup(text, len);
        text += len + 1;
        value = key ? take_value(&text) : NULL;
        if (!value) {
            free(key);
            return ENOMEM;
        }
        set(nbd, key, value, folder);
        free(key);
    }
    return 0;
}

/* What the credentials are. The folder is taken over. */
static int set_kind(struct nbd_options *nbd, char *folder, bool is_psk)
{
    if (!folder) {
        if (!nbd->tls_problem)
            nbd->tls_problem = "they need a folder: dir=FOLDER";
        return 0;
    }
    if (!is_psk) {
        replace(&nbd->tls_certificates, folder);
        return 0;
    }
    if (asprintf(&nbd->tls_psk_file, "%s/%s", folder, PSK_FILE) < 0)
        nbd->tls_psk_file = NULL;
    free(folder);
    if (!nbd->tls_username)
        nbd->tls_username = strdup(PSK_USERNAME);
    return nbd->tls_psk_file && nbd->tls_username ? 0 : ENOMEM;
}

int tls_objects_parse(char *const *objects, size_t count,
                      struct nbd_options *nbd)
{
    static const char x509[] = "tls-creds-x509,", psk[] = "tls-creds-psk,";
    unsigned found = 0;

    for (size_t i = 0; i < count; i++) {
        const char *text = objects[i];
        bool is_psk = strncmp(text, psk, strlen(psk)) == 0;
        char *folder = NULL;
        int err;

        if (!is_psk && strncmp(text, x509, strlen(x509)) != 0)
            continue;
        if (found++) {
            nbd->tls_problem = "there are several; which is meant?";
            continue;
        }
        err = parse_keys(strchr(text, ',') + 1, nbd, &folder);
        if (err)
            free(folder);
        else
            err = set_kind(nbd, folder, is_psk);
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
}
