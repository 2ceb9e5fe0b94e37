/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LD_PRELOAD: somebody changes CHANGE_FILE while it is read: after it was
 * opened (CHANGE_AT=open), after its bytes were mapped (CHANGE_AT=map), or
 * after the first CHANGE_READS calls of read() for it (CHANGE_AT=read). Its
 * size becomes CHANGE_SIZE, or CHANGE_COMMAND does what it says, in a shell.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int ask[2], answer[2];
static int started;

static int change_now(void)
{
    const char *command = getenv("CHANGE_COMMAND");

    if (command)
        return system(command);
    return truncate(getenv("CHANGE_FILE"),
                    strtoll(getenv("CHANGE_SIZE"), NULL, 10));
}

/* Somebody is another process, one that may write: the program itself, and the
 * qemu-nbd that it starts, may not. It is there until the program has gone. */
__attribute__((constructor)) static void start(void)
{
    char byte = 0;

    if (strcmp(program_invocation_short_name, "disksum") != 0)
        return;
    started = 1;
    if (pipe2(ask, O_CLOEXEC) != 0 || pipe2(answer, O_CLOEXEC) != 0)
        abort();
    if (fork() != 0)
        return;
    for (int fd = 0; fd < 100; fd++) {
        if (fd != ask[0] && fd != answer[1])
            close(fd);
    }
    if (read(ask[0], &byte, 1) == 1 && change_now() == 0 &&
        write(answer[1], &byte, 1) == 1)
        _exit(0);
    _exit(1);
}

static void change(const char *moment)
{
    static int changed;
    char byte = 0;

    if (!started || changed || strcmp(getenv("CHANGE_AT"), moment) != 0)
        return;
    changed = 1;
    if (write(ask[1], &byte, 1) != 1 || read(answer[0], &byte, 1) != 1)
        abort();
}

static int is_the_file(int fd)
{
    struct stat file, st;

    return stat(getenv("CHANGE_FILE"), &file) == 0 && fstat(fd, &st) == 0 &&
           st.st_dev == file.st_dev && st.st_ino == file.st_ino;
}

ssize_t read(int fd, void *buf, size_t len);
int fcntl64(int fd, int command, ...);
void *mmap64(void *address, size_t length, int protection, int flags, int fd,
             off_t offset);

ssize_t read(int fd, void *buf, size_t len)
{
    static int reads;
    ssize_t (*real)(int, void *, size_t) = dlsym(RTLD_NEXT, "read");
    ssize_t n = real(fd, buf, len);
    int saved = errno;

    if (started && strcmp(getenv("CHANGE_AT"), "read") == 0 &&
        is_the_file(fd) && ++reads == atoi(getenv("CHANGE_READS")))
        change("read");
    errno = saved;
    return n;
}

/* The flags of a file are set when its size is known. */
int fcntl64(int fd, int command, ...)
{
    int (*real)(int, int, ...) = dlsym(RTLD_NEXT, "fcntl64");
    va_list args;
    void *arg;
    int result;

    va_start(args, command);
    arg = va_arg(args, void *);
    va_end(args);
    result = real(fd, command, arg);
    if (command == F_SETFL)
        change("open");
    return result;
}

void *mmap64(void *address, size_t length, int protection, int flags, int fd,
             off_t offset)
{
    void *(*real)(void *, size_t, int, int, int, off_t) =
        dlsym(RTLD_NEXT, "mmap64");
    void *p = real(address, length, protection, flags, fd, offset);

    if (fd >= 0 && (flags & MAP_SHARED))
        change("map");
    return p;
}
