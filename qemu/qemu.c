/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/array.h"
#include "nbd/server.h"
#include "qemu/message.h"
#include "qemu/secrets.h"

/* A pipe holds as much of the messages. A single line can be long: it has some
 * words for each file of a chain that loops. */
#define MESSAGES_SIZE (64 * 1024)

/* The arguments without those for objects, but with the final NULL. */
#define MORE_ARGUMENTS 10

/* Above the descriptors that have a fixed number in a server. */
#define FIRST_INHERITED 10

struct arguments {
    char **list;
    size_t count;
    char *file; /* the last one, which messages repeat */
    int fd;     /* the descriptor that it names, or -1 */
    bool failed;
};

/* --- the arguments of qemu-nbd ------------------------------------------ */

/* Add an argument, which the list then owns. NULL if there was no memory for
 * it. */
static void add(struct arguments *a, char *text)
{
    if (text)
        a->list[a->count++] = text;
    else
        a->failed = true;
}

static void add_option(struct arguments *a, const char *option,
                       const char *value)
{
    char *text;

    if (!value)
        return;
    add(a, asprintf(&text, "%s=%s", option, value) < 0 ? NULL : text);
}

/* Double the commas, for an option string. */
static char *escape(const char *text)
{
    char *escaped = malloc(2 * strlen(text) + 1);
    char *p = escaped;

    if (!escaped)
        return NULL;
    do {
        if (*text == ',')
            *p++ = ',';
        *p++ = *text;
    } while (*text++);
    return escaped;
}

int qemu_descriptor(const char *path)
{
    static const char *const directories[] = { "/dev/fd/", "/proc/self/fd/" };

    if (strcmp(path, "/dev/stdin") == 0)
        return STDIN_FILENO;
    for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
        size_t len = strlen(directories[i]);
        const char *number = path + len;

        if (strncmp(path, directories[i], len) == 0 && *number &&
            !number[strspn(number, "0123456789")])
            return atoi(number);
    }
    return -1;
}

/* QEMU inherits a descriptor of this process. It needs another number, since
 * the socket may get this one. (QEMU is confined, and cannot look into our
 * /proc.) */
static char *own_path(const char *path, int *fd)
{
    int descriptor = qemu_descriptor(path);
    char *own;

    if (descriptor < 0)
        return strdup(path);
    *fd = fcntl(descriptor, F_DUPFD, FIRST_INHERITED);
    if (*fd < 0)
        return strdup(path);
    if (asprintf(&own, "/proc/self/fd/%d", *fd) < 0)
        return NULL;
    return own;
}

/* Options that say which backing file an image has, or that it has none. (To
 * say that in an option string is deprecated, but there is no other way.) Empty
 * if that is up to the image. NULL when out of memory. */
static char *backing_options(const struct qemu_options *o)
{
    char *path, *text;

    if (!o->knows_backing || !o->backing)
        return strdup(o->knows_backing ? ",backing=" : "");
    path = escape(o->backing);
    if (!path || asprintf(&text, ",backing.file.filename=%s%s%s", path,
                          o->backing_format ? ",backing.driver=" : "",
                          o->backing_format ? o->backing_format : "") < 0)
        text = NULL;
    free(path);
    return text;
}

/* An option string for a file: no character of its name is special there, and
 * it can have force-share. */
static char *file_argument(const struct qemu_options *o, int *fd)
{
    char *path = own_path(o->text, fd);
    char *name = path ? escape(path) : NULL;
    char *format = escape(o->format ? o->format : "");
    char *backing = backing_options(o);
    char *text = NULL;

    if (name && format && backing &&
        asprintf(&text, "%s%s%sfile.filename=%s%s%s",
                 o->format ? "driver=" : "", format, o->format ? "," : "", name,
                 backing, o->files.force_share ? ",force-share=on" : "") < 0)
        text = NULL;
    free(path);
    free(name);
    free(format);
    free(backing);
    return text;
}

/* An option string for the export of another qemu-nbd, over a socket that is
 * connected to it. */
static char *export_argument(const struct qemu_options *o, int *fd)
{
    int connection = nbd_reader_connect(o->export);
    char *format = escape(o->format);
    char *backing = backing_options(o);
    char *text = NULL;

    if (connection >= 0) {
        *fd = fcntl(connection, F_DUPFD, FIRST_INHERITED);
        close(connection);
    }
    if (format && backing &&
        asprintf(&text,
                 "driver=%s,file.driver=nbd,file.server.type=fd,"
                 "file.server.str=%d%s",
                 format, *fd, backing) < 0)
        text = NULL;
    free(backing);
    free(format);
    return text;
}

/* Add force-share to an option string, which may end with a comma. */
static char *share_options(const char *options)
{
    size_t len = strlen(options);
    char *text;

    if (len && options[len - 1] == ',')
        len--;
    if (asprintf(&text, "%.*s,force-share=on", (int)len, options) < 0)
        return NULL;
    return text;
}

/* Add force-share to a name that begins with json:. */
static char *share_json(const char *name)
{
    static const char json[] = "json:";
    const char *p = name + strlen(json);
    char *text;

    p += strspn(p, " \t\r\n");
    if (*p != '{')
        return strdup(name);
    p++;
    p += strspn(p, " \t\r\n");
    if (asprintf(&text, "%s{\"force-share\": true%s%s", json,
                 *p == '}' ? "" : ", ", p) < 0)
        return NULL;
    return text;
}

/* Add force-share where it can be said. Names with another protocol cannot have
 * it, but have no locks either. The user may have added it before. */
static char *text_argument(const struct qemu_options *o)
{
    if (o->files.force_share && !strstr(o->text, "force-share")) {
        if (o->source == QEMU_OPTIONS)
            return share_options(o->text);
        if (o->source == QEMU_JSON)
            return share_json(o->text);
    }
    return strdup(o->text);
}

static char *source_argument(const struct qemu_options *o, int *fd)
{
    if (o->source == QEMU_FILE)
        return file_argument(o, fd);
    if (o->source == QEMU_EXPORT)
        return export_argument(o, fd);
    return text_argument(o);
}

static void add_all(struct arguments *a, const struct qemu_options *o)
{
    char shared[16];

    snprintf(shared, sizeof(shared), "%d", NBD_MAX_CONNECTIONS);
    add(a, strdup("qemu-nbd"));
    add(a, strdup("--read-only"));
    add_option(a, "--shared", shared);
    add_option(a, "--cache",
               o->files.cache == CACHE_DIRECT ? "none" : "writeback");
    for (size_t i = 0; i < o->object_count; i++)
        add_option(a, "--object", o->objects[i]);
    add_option(a, "--load-snapshot", o->snapshot);
    if (o->source != QEMU_NAME && o->source != QEMU_JSON)
        add(a, strdup("--image-opts"));
    if (o->source != QEMU_FILE && o->source != QEMU_EXPORT)
        add_option(a, "--format", o->format);
    add(a, strdup("--"));
    a->file = source_argument(o, &a->fd);
    add(a, a->file);
}

static void arguments_free(struct arguments *a)
{
    for (size_t i = 0; i < a->count; i++)
        free(a->list[i]);
    free(a->list);
    if (a->fd >= 0)
        close(a->fd);
}

static int arguments_make(struct arguments *a, const struct qemu_options *o,
                          struct error *error)
{
    *a = (struct arguments){
        .list = calloc(o->object_count + MORE_ARGUMENTS, sizeof(*a->list)),
        .fd = -1,
    };
    if (a->list)
        add_all(a, o);
    if (a->list && !a->failed)
        return 0;
    arguments_free(a);
    return error_no_memory(error, o->name);
}

/* --- start -------------------------------------------------------------- */

/* A pipe for messages. It is read only at the end, so a process that writes
 * more than fits must not be blocked. */
static int make_pipe(int fds[2])
{
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0)
        return 0;
    return errno;
}

/* A hint, if there is a file under the name that QEMU takes for a protocol. */
static const char *file_hint(const struct qemu_options *o, const char *reason)
{
    if (o->source != QEMU_NAME || access(o->text, F_OK) != 0 ||
        strncmp(reason, "Unknown protocol", 16) != 0)
        return "";
    return ". There is a file of this name: write ./ before the name";
}

/* What qemu-nbd has written to its stderr. The caller frees it. NULL if there
 * is nothing. */
static char *read_messages(int fd)
{
    char *messages = malloc(MESSAGES_SIZE + 1);
    ssize_t n = messages ? read(fd, messages, MESSAGES_SIZE) : 0;

    if (n > 0) {
        messages[n] = '\0';
        return messages;
    }
    free(messages);
    return NULL;
}

/* Why a read failed, if QEMU says so. The caller frees it. */
static char *explain(int fd)
{
    char *messages = read_messages(fd);
    char *text = messages ? qemu_complaint(messages) : NULL;

    free(messages);
    return text;
}

/* Replace the error by the reason that QEMU gives, if there is one. */
static void set_reason(const struct qemu_options *o, const struct arguments *a,
                       int fd, struct error *error)
{
    bool described = o->source == QEMU_JSON || o->source == QEMU_OPTIONS;
    char *messages = read_messages(fd);
    int err = error->code;
    char *reason = NULL;

    if (messages)
        reason = qemu_message(messages, a->file, o->text,
                              described ? NULL : o->format);
    free(messages);
    if (!reason)
        return;
    error_clear(error);
    error_set(error, err, "%s: QEMU: %s%s", o->name, reason,
              file_hint(o, reason));
    free(reason);
}

/* lends: the reader may become the export of another call. */
static int start(const struct qemu_options *o, bool lends,
                 struct reader **reader, struct error *error)
{
    struct nbd_server_options server = {
        .package = "qemu-utils",
        .stop_signal = SIGKILL, /* it may be waiting; it has nothing to write */
        .timeout = o->nbd->timeout,
        .confined = true,
        .network = o->network,
        .anonymous = o->anonymous,
        .keeps_socket = lends,
    };
    struct nbd_options nbd = *o->nbd;
    struct arguments a;
    int fds[2];
    int err = arguments_make(&a, o, error);

    if (err)
        return err;
    err = make_pipe(fds);
    if (err) {
        arguments_free(&a);
        return error_set(error, err, "%s: cannot make a pipe: %s", o->name,
                         strerror(err));
    }
    server.command = a.list;
    server.error_fd = fds[1];
    nbd.no_fragments = true;
    err = nbd_open_server(&server, o->name, &nbd, reader, error);
    if (err) {
        set_reason(o, &a, fds[0], error);
        close(fds[0]);
    } else {
        nbd_reader_explain(*reader, explain, fds[0]);
    }
    close(fds[1]);
    arguments_free(&a);
    return err;
}

int qemu_open(const struct qemu_options *o, struct reader **reader,
              struct error *error)
{
    struct qemu_secrets secrets;
    int err = qemu_secrets_take(&secrets, o, error);

    if (err)
        return err;
    err = start(&secrets.options, o->source == QEMU_NAME, reader, error);
    qemu_secrets_free(&secrets);
    return err;
}

pid_t qemu_pid(const struct reader *reader)
{
    return nbd_server_pid(nbd_reader_server(reader));
}
