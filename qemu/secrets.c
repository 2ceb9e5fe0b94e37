/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/array.h"
#include "common/secrets.h"
#include "common/url.h"
#include "qemu/options.h"

/* A server has the standard streams and its socket below this descriptor. */
#define FREE_FD 4

/* The id of an object, without its number. */
#define ID "disksum-secret-"

#define NUMBER_SIZE 48

/* The state of a rewrite. */
struct taking {
    struct qemu_secrets *secrets;
    const char *name; /* for messages */
    struct error *error;
};

/* --- pipes and objects -------------------------------------------------- */

static int out_of_memory(const struct taking *t)
{
    return error_no_memory(t->error, t->name);
}

/* Make a pipe that holds a secret, and then ends. Its descriptor is the only
 * one that is not closed on exec. */
static int make_pipe(const struct taking *t, const char *secret, int *fd)
{
    size_t len = strlen(secret);
    int fds[2];
    int err = 0;

    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0)
        return error_set(t->error, errno, "%s: cannot make a pipe: %s", t->name,
                         strerror(errno));
    if (write(fds[1], secret, len) != (ssize_t)len)
        err = error_set(t->error, E2BIG,
                        "%s: a secret is too long for a pipe; give it with "
                        "--object secret,id=ID,file=FILE",
                        t->name);
    *fd = err ? -1 : fcntl(fds[0], F_DUPFD, FREE_FD);
    if (!err && *fd < 0)
        err = error_set(t->error, errno, "%s: cannot duplicate a pipe: %s",
                        t->name, strerror(errno));
    if (!err)
        fcntl(*fd, F_SETFL, 0);
    close(fds[0]);
    close(fds[1]);
    return err;
}

/* Keep a secret in a pipe, and set path to its name in QEMU. */
static int keep(const struct taking *t, const char *secret,
                char path[NUMBER_SIZE])
{
    struct qemu_secrets *s = t->secrets;
    int *fds = realloc(s->fds, (s->fd_count + 1) * sizeof(*fds));
    int err;

    if (!fds)
        return out_of_memory(t);
    s->fds = fds;
    err = make_pipe(t, secret, &fds[s->fd_count]);
    if (!err)
        snprintf(path, NUMBER_SIZE, "/dev/fd/%d", fds[s->fd_count++]);
    return err;
}

/* Add an object, which is then owned. NULL if there was no memory for it. */
static int add_object(const struct taking *t, char *object)
{
    struct qemu_secrets *s = t->secrets;
    char **objects =
        realloc(s->objects, (s->object_count + 1) * sizeof(*objects));

    if (objects)
        s->objects = objects;
    if (!objects || !object) {
        free(object);
        return out_of_memory(t);
    }
    objects[s->object_count++] = object;
    return 0;
}

/* Make an object of a secret, and set its id. */
static int make_object(const struct taking *t, const char *secret,
                       char id[NUMBER_SIZE])
{
    char path[NUMBER_SIZE];
    char *object;
    int err = keep(t, secret, path);

    if (err)
        return err;
    snprintf(id, NUMBER_SIZE, ID "%zu", t->secrets->object_count);
    if (asprintf(&object, "secret,id=%s,file=%s", id, path) < 0)
        object = NULL;
    return add_object(t, object);
}

/* --- options ------------------------------------------------------------ */

/* The driver of QEMU for a scheme, if it accepts a password. */
static const char *driver_of_url(const struct url *url)
{
    static const char *const drivers[] = { "http", "https", "ftp", "ftps" };

    for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
        if (url->scheme.len == strlen(drivers[i]) &&
            strncmp(url->scheme.start, drivers[i], url->scheme.len) == 0)
            return drivers[i];
    }
    return NULL;
}

/* Whether QEMU and the user agree where the password ends: a host follows, and
 * no later "@" is in a part that servers do not see. */
static bool is_clear(const struct url *url)
{
    const char *host = url->host.start;
    size_t len = strcspn(host, "/?#");
    const char *fragment = strchr(host, '#');

    return url->password.len > 0 && url_is_host(host, len) &&
           !(fragment && strchr(fragment, '@'));
}

static char *decode(const struct taking *t, struct span text)
{
    char *decoded = url_decode(text);

    if (!decoded && errno == EINVAL)
        error_set(t->error, EINVAL, "%s: the password has a NUL byte (%%00)",
                  t->name);
    else if (!decoded)
        out_of_memory(t);
    return decoded;
}

/* Write the options for a URL with a password. QEMU would undo escapes in a
 * URL, but does not in these options. */
static void write_url(FILE *f, const struct qemu_option *option,
                      const struct url *url, const struct taking *t)
{
    char *user = decode(t, url->user);
    char *password = user ? decode(t, url->password) : NULL;
    char id[NUMBER_SIZE];
    char *plain;

    if (password && make_object(t, password, id) == 0) {
        if (asprintf(&plain, "%.*s://%s", (int)url->scheme.len,
                     url->scheme.start, url->host.start) < 0) {
            out_of_memory(t);
        } else {
            qemu_option_write(f, option, "url", plain);
            putc(',', f);
            qemu_option_write(f, option, "username", user);
            putc(',', f);
            qemu_option_write(f, option, "password-secret", id);
            free(plain);
        }
    }
    free(password);
    free(user);
}

/* Rewrite an option of an image. */
static bool rewrite_option(FILE *f, const struct qemu_option *option, void *arg)
{
    struct taking *t = arg;
    char id[NUMBER_SIZE];
    struct url url;

    if (strcmp(option->key, "url") == 0) {
        if (!url_parse(option->value, &url) || !is_clear(&url))
            return false;
        write_url(f, option, &url, t);
        return true;
    }
    if (strcmp(option->key, "password") != 0 &&
        strcmp(option->key, "cookie") != 0)
        return false;
    if (make_object(t, option->value, id) == 0)
        qemu_option_write(
            f, option,
            *option->key == 'c' ? "cookie-secret" : "password-secret", id);
    return true;
}

/* Rewrite an option of an object of type "secret". */
static bool rewrite_data(FILE *f, const struct qemu_option *option, void *arg)
{
    char path[NUMBER_SIZE];

    if (*option->prefix || strcmp(option->key, "data") != 0)
        return false;
    if (keep(arg, option->value, path) == 0)
        qemu_option_write(f, option, "file", path);
    return true;
}

static bool is_type(FILE *f, const struct qemu_option *option, void *arg)
{
    bool *is_secret = arg;

    (void)f;
    if (strcmp(option->key, "qom-type") == 0)
        *is_secret = strcmp(option->value, "secret") == 0;
    return false;
}

/* As in QEMU, the last type counts. */
static int find_type(const struct taking *t, const char *object,
                     bool *is_secret)
{
    char *copy;

    *is_secret = strncmp(object, "secret,", 7) == 0;
    copy = qemu_options_rewrite(object, *object == '{', is_type, is_secret);
    if (!copy)
        return out_of_memory(t);
    free(copy);
    return 0;
}

static int take_from_objects(struct taking *t, const struct qemu_options *o)
{
    for (size_t i = 0; i < o->object_count; i++) {
        const char *object = o->objects[i];
        bool is_secret;
        int err = find_type(t, object, &is_secret);

        if (!err)
            err = add_object(
                t, is_secret ? qemu_options_rewrite(object, *object == '{',
                                                    rewrite_data, t)
                             : strdup(object));
        if (err || t->error->code)
            return t->error->code;
    }
    return 0;
}

/* --- names -------------------------------------------------------------- */

static int take_from_url(struct taking *t, const struct qemu_options *o,
                         const struct url *url)
{
    struct qemu_option option = { .prefix = strdup("file.") };
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    if (f && option.prefix) {
        if (o->format) {
            struct qemu_option driver = { .prefix = option.prefix + 5 };

            qemu_option_write(f, &driver, "driver", o->format);
            putc(',', f);
        }
        qemu_option_write(f, &option, "driver", driver_of_url(url));
        putc(',', f);
        write_url(f, &option, url, t);
    }
    if (!f || fclose(f) != 0 || !option.prefix)
        out_of_memory(t);
    free(option.prefix);
    t->secrets->text = text;
    t->secrets->options.source = QEMU_OPTIONS;
    t->secrets->options.format = NULL;
    return t->error->code;
}

static int take_from_text(struct taking *t, const struct qemu_options *o)
{
    struct url url;

    if (o->source == QEMU_OPTIONS || o->source == QEMU_JSON)
        t->secrets->text = qemu_options_rewrite(o->text, o->source == QEMU_JSON,
                                                rewrite_option, t);
    else if (url_parse(o->text, &url) && is_clear(&url) && driver_of_url(&url))
        return take_from_url(t, o, &url);
    else
        t->secrets->text = strdup(o->text);
    if (!t->secrets->text)
        return out_of_memory(t);
    return t->error->code;
}

/* Whether QEMU is given the text: not a path, where anything is allowed, nor
 * what another QEMU has opened. */
static bool is_given(const struct qemu_options *o)
{
    return o->source != QEMU_FILE && o->source != QEMU_EXPORT;
}

/* Whether there is a secret. The port of a URL is not one, although it is
 * masked in messages, to be safe. A token in its query has no other way to
 * QEMU.
 */
static bool is_seen(const char *text)
{
    struct secrets s;
    struct span secret;

    secrets_begin(&s, text);
    while (secrets_next(&s, &secret)) {
        if (!s.is_token &&
            (secret.start[-1] != ':' || !url_has_port(secret.start)))
            return true;
    }
    return false;
}

static int refuse(const struct taking *t, const char *text)
{
    const char *hint = "; give it with --object secret,id=ID,file=FILE, and "
                       "--image-opts with ...password-secret=ID";
    struct url url;

    if (url_parse(text, &url)) {
        if (driver_of_url(&url))
            hint = "; write / ? # and @ in it as %2F %3F %23 and %40";
        else if (strncmp(text, "ssh:", 4) == 0)
            hint = "; QEMU takes no password for ssh: give a key to ssh-agent";
    }
    return error_set(t->error, EPERM,
                     "%s: other users would see the password in the arguments "
                     "of qemu-nbd%s",
                     t->name, hint);
}

/* Refuse a text in which there still is a secret, also if it is behind escapes:
 * in JSON within JSON. `given`: what the user wrote. */
static int check_left(const struct taking *t, const char *text,
                      const char *given)
{
    bool seen = is_seen(text);
    char *plain;

    if (!seen && strstr(text, "\\u00")) {
        plain = strdup(text);
        if (!plain)
            return out_of_memory(t);
        secrets_unescape(plain);
        seen = is_seen(plain);
        free(plain);
    }
    return seen ? refuse(t, given) : 0;
}

int qemu_secrets_take(struct qemu_secrets *s, const struct qemu_options *o,
                      struct error *error)
{
    struct taking t = { .secrets = s, .name = o->name, .error = error };
    int err;

    *s = (struct qemu_secrets){ .options = *o };
    err = take_from_objects(&t, o);
    if (!err && is_given(o))
        err = take_from_text(&t, o);
    if (!err && s->text)
        err = check_left(&t, s->text, o->text);
    for (size_t i = 0; !err && i < s->object_count; i++)
        err = check_left(&t, s->objects[i], s->objects[i]);
    if (err) {
        qemu_secrets_free(s);
        return err;
    }
    if (s->text)
        s->options.text = s->text;
    s->options.objects = s->objects;
    s->options.object_count = s->object_count;
    return 0;
}

void qemu_secrets_free(struct qemu_secrets *s)
{
    for (size_t i = 0; i < s->fd_count; i++)
        close(s->fds[i]);
    free(s->fds);
    for (size_t i = 0; i < s->object_count; i++)
        free(s->objects[i]);
    free(s->objects);
    free(s->text);
}
