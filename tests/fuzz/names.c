/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any text as the name of an image: a path, a URL, an option string, or JSON.
 * The first byte says as which.
 */
#include "fuzz.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/mask.h"
#include "common/secrets.h"
#include "image/description.h"
#include "nbd/uri.h"
#include "qemu/options.h"
#include "qemu/secrets.h"
#include "qemu/tls-object.h"

/* --- secrets ------------------------------------------------------------ */

static void hide(const char *name)
{
    char *masked = mask_name(name), *text, *wiped = strdup(name);
    struct secrets s;
    struct span secret;
    const char *end = name;
    bool found = false;

    require(masked && wiped);
    wipe_secrets(wiped);
    require(strlen(wiped) == strlen(name));
    secrets_begin(&s, name);
    while (secrets_next(&s, &secret)) {
        require(secret.len > 0 && secret.start >= end);
        end = secret.start + secret.len;
        require(end <= name + strlen(name));
        for (size_t i = 0; i < secret.len; i++)
            require(wiped[secret.start - name + i] == 'x');
        found = true;
    }
    require(found == has_secret(name));
    require(found || strcmp(masked, name) == 0 || secrets_unescape(wiped));
    text = mask_text(name, name);
    require(text && (!found || strcmp(text, masked) == 0));
    free(text);
    free(wiped);
    free(masked);
}

/* --- what QEMU gets ----------------------------------------------------- */

static bool keep(FILE *f, const struct qemu_option *option, void *arg)
{
    (void)f;
    (void)arg;
    require(option->key && option->prefix && option->value);
    return false;
}

static void give_to_qemu(char *text, enum qemu_source source)
{
    const struct qemu_options options = { .name = "name",
                                          .source = source,
                                          .text = text,
                                          .objects = &text,
                                          .object_count = 1 };
    struct error error = ERROR_INIT;
    struct qemu_secrets taken;
    int err = qemu_secrets_take(&taken, &options, &error);

    require(err == error.code && (!err || *error_message(&error)));
    if (!err)
        qemu_secrets_free(&taken);
    error_clear(&error);
}

static void rewrite(const char *text, bool is_json)
{
    char *copy = qemu_options_rewrite(text, is_json, keep, NULL);

    require(copy && strcmp(copy, text) == 0);
    free(copy);
}

/* --- what is read ------------------------------------------------------- */

static void describe(const char *text, bool is_json)
{
    struct error error = ERROR_INIT;
    struct description d;
    int err;

    if (is_json && strncmp(text, "json:", strlen("json:")) != 0)
        return;
    err = description_read(text, is_json, NULL, &d, &error);

    require(err == error.code && (!err || *error_message(&error)));
    for (size_t i = 0; !err && i < d.file_count; i++) {
        require(d.files[i].path);
        (void)description_has_format(&d, &d.files[i]);
    }
    description_free(&d);
    error_clear(&error);
}

static void connect_to(const char *text)
{
    struct error error = ERROR_INIT;
    struct nbd_uri uri;
    int err;

    if (!is_nbd_uri(text))
        return;
    err = nbd_uri_parse(text, &uri, &error);
    require(err == error.code && (!err || *error_message(&error)));
    require(err || uri.transport != NBD_TCP || (uri.host && uri.port));
    nbd_uri_free(&uri);
    error_clear(&error);
}

static void read_object(char *text)
{
    struct nbd_options nbd = { .connections = 1 };

    require(tls_objects_parse(&text, 1, &nbd) == 0);
    tls_objects_free(&nbd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;

    if (size < 1)
        return 0;
    text = strndup((const char *)data + 1, size - 1);
    require(text);
    hide(text);
    switch (data[0] % 4) {
    case 0:
        describe(text, false);
        rewrite(text, false);
        give_to_qemu(text, QEMU_OPTIONS);
        break;
    case 1:
        describe(text, true);
        rewrite(text, true);
        give_to_qemu(text, QEMU_JSON);
        break;
    case 2:
        connect_to(text);
        give_to_qemu(text, QEMU_NAME);
        break;
    case 3:
        read_object(text);
        break;
    }
    free(text);
    return 0;
}
