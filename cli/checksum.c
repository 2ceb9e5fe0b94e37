/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/checksum.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/message.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "common/clock.h"
#include "image/image.h"
#include "process/confine.h"

static volatile sig_atomic_t report_wanted;

static void want_report(int signal)
{
    (void)signal;
    report_wanted = 1;
}

void checksum_catch_signals(void)
{
    struct sigaction action = { .sa_handler = want_report };
    sigset_t set;

    sigemptyset(&action.sa_mask);
    sigaction(SIGUSR1, &action, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static bool is_report_pending(void)
{
    sigset_t pending;

    return sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1);
}

/* Show progress until the engine is done. If it is done already, only look for
 * a signal. */
static void wait_for_engine(struct engine *e)
{
    struct pollfd pfd = { .fd = engine_done_fd(e), .events = POLLIN };
    bool is_done = pfd.fd < 0;
    struct engine_progress progress;
    sigset_t waiting;

    if (is_done && !is_report_pending())
        return;
    pthread_sigmask(SIG_BLOCK, NULL, &waiting);
    sigdelset(&waiting, SIGUSR1);
    do {
        int ms = is_done ? 0 : progress_interval();
        struct timespec timeout = { .tv_sec = ms / 1000,
                                    .tv_nsec = ms % 1000 * 1000000L };
        int ready = ppoll(&pfd, 1, ms < 0 ? NULL : &timeout, &waiting);

        engine_progress(e, &progress);
        if (report_wanted) {
            report_wanted = 0;
            progress_report(&progress);
        } else if (ready == 0 && !is_done) {
            progress_update(&progress);
        }
    } while (!is_done && !(pfd.revents & POLLIN));
}

/* A pipe can be read only once. */
static bool stdin_taken;

void checksum_take_stdin(void)
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
    return nbd;
}

static int open_image(const struct options *o, const char *name,
                      struct image **image, struct error *error)
{
    const struct nbd_options nbd = nbd_options(o);
    struct image_options options = o->image;
    struct reader *reader;
    int err;

    options.nbd = &nbd;
    if (!o->command)
        return image_open(name, name, &options, image, error);
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
    if (stdin_taken)
        return error_set(error, EINVAL,
                         "%s: standard input has already been read",
                         input->name);
    checksum_take_stdin();
    input->probe = !format;
    input->max_size = o->image.max_size;
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

static int open_input(const struct options *o, const char *name,
                      struct engine_input *input, struct error *error)
{
    *input = (struct engine_input){ .name = name, .fd = STDIN_FILENO };
    if (strcmp(name, "-") == 0)
        return open_stdin(o, input, error);
    return open_image(o, name, &input->image, error);
}

/* --- a checksum --------------------------------------------------------- */

static int run(const struct options *o, const struct engine_input *input,
               struct engine_result *result, struct error *error)
{
    struct engine_progress progress;
    struct engine *e;
    int err = engine_new(&o->engine, input, &e, error);

    if (err)
        return err;
    progress_begin(input->name,
                   input->image ? image_allocated(input->image) : 0,
                   &o->progress);
    err = engine_start(e, error);
    if (!err) {
        wait_for_engine(e);
        err = engine_finish(e, result, error);
        engine_progress(e, &progress);
        progress_end(&progress, !err);
    }
    engine_free(e);
    return err;
}

static bool wants_warnings(const struct options *o)
{
    return o->list.verbosity != VERBOSITY_QUIET &&
           o->list.verbosity != VERBOSITY_STATUS;
}

static void warn_false_hole(const struct options *o, const struct false_hole *h)
{
    if (h->name && wants_warnings(o))
        message("%s: warning: found data at offset %" PRIu64
                ", which was reported as a hole",
                h->name, h->offset);
}

/* Print the warnings from number first on. Returns how many there are. */
static size_t print_warnings(const struct options *o, const struct image *image,
                             size_t first)
{
    if (!wants_warnings(o) || !image)
        return 0;
    for (size_t i = first; i < image->warning_count; i++)
        message("%s", image->warnings[i]);
    return image->warning_count;
}

int checksum_begin(struct checksum *c, const struct options *o,
                   const char *name)
{
    double start = clock_seconds();
    struct read_method_figures before;
    size_t printed;
    int err;

    read_choice_figures(read_choice_shared(), &before);
    *c = (struct checksum){ .name = name };
    message_know_name(name);
    err = open_input(o, name, &c->input, &c->error);
    if (err)
        return err;
    printed = print_warnings(o, c->input.image, 0);
    err = run(o, &c->input, &c->result, &c->error);
    print_warnings(o, c->input.image, printed);
    warn_false_hole(o, &c->result.false_hole);
    c->seconds = clock_seconds() - start;
    if (!err && o->verbose && o->list.verbosity != VERBOSITY_QUIET)
        report_print(o, c, &before);
    return err;
}

void checksum_end(struct checksum *c)
{
    image_close(c->input.image);
    c->input.image = NULL;
    error_clear(&c->error);
    message_know_name(NULL);
}
