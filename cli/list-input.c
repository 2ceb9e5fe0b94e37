/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/list-input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/read.h"
#include "format/probe.h"

/* The bytes by which an image is recognised. */
#define LOOK_SIZE 512

/* The user may have given the image instead of its list. A pipe cannot be
 * looked at twice. */
static int refuse_image(const struct list_input *in, const char *name,
                        struct error *error)
{
    char start[LOOK_SIZE];
    ssize_t n = pread_all(in->fd, start, sizeof(start), 0);
    const char *format = n > 0 ? probe_start(start, n) : NULL;
    struct stat st;

    if (fstat(in->fd, &st) != 0)
        return error_set(error, errno, "%s: %s", name, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return error_set(error, EISDIR, "%s: is a directory", name);
    if (!format && S_ISBLK(st.st_mode))
        format = "raw";
    if (!format)
        return 0;
    return error_set(error, EINVAL, "%s: is a %s image, not a digest list",
                     name, format);
}

static int read_header(struct list_input *in, const struct options *o,
                       const char *name, struct error *error)
{
    const struct list_reader_options options = {
        .max_size = o->image.max_size,
    };

    return list_reader_new(in->fd, name, &options, &in->reader, error);
}

int list_input_open(struct list_input *in, const struct options *o,
                    const char *name, struct error *error)
{
    int err;

    *in = (struct list_input){ .fd = STDIN_FILENO };
    if (!*name)
        return error_set(error, ENOENT, "the name of a list is empty");
    if (strcmp(name, "-") != 0)
        in->fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (in->fd < 0)
        return error_set(error, errno, "%s: %s", name, strerror(errno));
    err = refuse_image(in, name, error);
    if (err)
        return err;
    return read_header(in, o, name, error);
}

int list_input_again(struct list_input *in, const struct options *o,
                     const char *name, struct error *error)
{
    list_reader_free(in->reader);
    in->reader = NULL;
    if (lseek(in->fd, 0, SEEK_SET) < 0)
        return error_set(error, errno, "%s: %s", name, strerror(errno));
    return read_header(in, o, name, error);
}

void list_input_close(struct list_input *in)
{
    list_reader_free(in->reader);
    if (in->fd > STDIN_FILENO)
        close(in->fd);
}
