/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/message.h"
#include "image/image.h"
#include "process/confine.h"

/* A pipe can be read only once. */
static bool stdin_taken;

void input_take_stdin(void)
{
    stdin_taken = true;
}

/* The path of the file on standard input, for relative names in an image. NULL
 * if the file has no name, or none that can be seen from here. */
static const char *stdin_path(char path[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/fd/0", path, PATH_MAX);
    struct stat named, given;

    if (n <= 0 || n == PATH_MAX || *path != '/')
        return NULL;
    path[n] = 0;
    if (fstat(STDIN_FILENO, &given) != 0 || stat(path, &named) != 0 ||
        given.st_dev != named.st_dev || given.st_ino != named.st_ino)
        return NULL;
    return path;
}

/* A worker uses one connection. */
static struct nbd_options nbd_options(const struct options *o)
{
    struct nbd_options nbd = o->nbd;

    if (nbd.connections > o->engine.threads)
        nbd.connections = o->engine.threads;
    nbd.no_extents = o->image.no_extents;
    return nbd;
}

static int open_image(const struct options *o, const char *name,
                      struct image **image, struct error *error)
{
    struct nbd_options nbd = nbd_options(o);
    struct image_options options = o->image;
    struct reader *reader;
    int err;

    options.nbd = &nbd;
    if (!o->command)
        return image_open(name, name, &options, image, error);
    nbd.bitmap = image_export_bitmap(&options);
    err = nbd_open_command(o->command, name, &nbd, &reader, error);
    confine_this_process(o->image.trust_names);
    if (err)
        return err;
    return image_open_reader(reader, &options, image, error);
}

/* --- standard input ----------------------------------------------------- */

/* Read a raw image from front to back, and only once. */
static int open_stdin_pipe(const struct options *o, const char *what,
                           struct engine_input *input, struct error *error)
{
    const char *format = o->image.format;

    if (o->image.snapshot || (format && strcmp(format, "raw") != 0))
        return error_set(error, EINVAL,
                         "%s: %s can only be read as a raw image", input->name,
                         what);
    if (o->image.member)
        return error_set(error, EINVAL,
                         "%s: %s cannot be read as an archive; --member "
                         "requires a file",
                         input->name, what);
    if (stdin_taken)
        return error_set(error, EINVAL,
                         "%s: standard input has already been read",
                         input->name);
    input_take_stdin();
    input->probe = !format;
    input->max_size = o->image.max_size;
    input->part = &o->image;
    return 0;
}

/* Read a file from its beginning, by its descriptor: it may have no name any
 * more, or none that this process may open. */
static int open_stdin_file(const struct options *o, struct engine_input *input,
                           struct error *error)
{
    const struct nbd_options nbd = nbd_options(o);
    struct image_options options = o->image;
    struct error cause = ERROR_INIT;
    char buffer[PATH_MAX];
    const char *path;
    struct reader *reader;
    int err = file_open_fd(STDIN_FILENO, input->name, &o->image.files, &reader,
                           &cause);

    if (err == ESPIPE) {
        error_clear(&cause);
        return open_stdin_pipe(o, "a file that does not report its size", input,
                               error);
    }
    if (err) {
        error_move(error, &cause);
        return err;
    }
    options.nbd = &nbd;
    options.image_opts = false;
    path = stdin_path(buffer);
    return image_open_file(reader, path ? path : "/dev/stdin", path, &options,
                           &input->image, error);
}

static int open_stdin(const struct options *o, struct engine_input *input,
                      struct error *error)
{
    int flags = fcntl(STDIN_FILENO, F_GETFL);
    struct stat st;

    if (flags < 0 || fstat(STDIN_FILENO, &st) != 0)
        return error_set(error, errno, "%s: %s", input->name, strerror(errno));
    if ((flags & O_ACCMODE) == O_WRONLY)
        return error_set(error, EBADF, "%s: is not open for reading",
                         input->name);
    if (S_ISDIR(st.st_mode))
        return error_set(error, EISDIR, "%s: is a directory", input->name);
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return open_stdin_pipe(o, "a pipe", input, error);
    if (lseek(STDIN_FILENO, 0, SEEK_CUR) != 0)
        return open_stdin_pipe(o, "a file that is not at its beginning", input,
                               error);
    return open_stdin_file(o, input, error);
}

int input_open(const struct options *o, const char *name,
               struct engine_input *input, struct error *error)
{
    int err;

    *input = (struct engine_input){ .name = name, .fd = STDIN_FILENO };
    if (!*name)
        return error_set(error, ENOENT, "the name of an image is empty");
    if (strcmp(name, "-") == 0)
        err = open_stdin(o, input, error);
    else
        err = open_image(o, name, &input->image, error);
    if (err)
        error_name_image(error, name);
    return err;
}

bool input_wants_warnings(const struct options *o)
{
    return o->list.verbosity != VERBOSITY_QUIET &&
           o->list.verbosity != VERBOSITY_STATUS;
}

size_t input_warn(const struct options *o, const struct image *image,
                  size_t first)
{
    if (!input_wants_warnings(o) || !image)
        return 0;
    for (size_t i = first; i < image->warning_count; i++)
        message("%s", image->warnings[i]);
    return image->warning_count;
}
