/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * replay DIR: run the inputs of a corpus, which are the seeds of the fuzzer and
 * its findings, as a test.
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_SIZE (1 << 20)

/* A hang is a failure, too. */
#define SECONDS 60

static int run(const char *directory, const char *name)
{
    static unsigned char data[MAX_SIZE];
    char path[4096];
    size_t size;
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    f = fopen(path, "rb");
    if (!f)
        return -1;
    size = fread(data, 1, sizeof(data), f);
    fclose(f);
    alarm(SECONDS);
    LLVMFuzzerTestOneInput(data, size);
    alarm(0);
    return 0;
}

int main(int argc, char **argv)
{
    struct dirent *entry;
    int count = 0, failed = 0;
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;

    if (!dir) {
        fprintf(stderr, "usage: replay DIR\n");
        return EXIT_FAILURE;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        count++;
        if (run(argv[1], entry->d_name) == 0) {
            printf("ok %d - %s\n", count, entry->d_name);
        } else {
            printf("not ok %d - %s\n", count, entry->d_name);
            failed++;
        }
    }
    closedir(dir);
    printf("1..%d\n", count);
    return failed || count == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
