/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>

#include "cli/option.h"
#include "cli/progress.h"
#include "engine/engine.h"
#include "nbd/nbd.h"

#define EXIT_USAGE 2

/* How much --check prints. */
enum verbosity {
    VERBOSITY_DEFAULT,
    VERBOSITY_QUIET,
    VERBOSITY_STATUS, /* the exit status only */
    VERBOSITY_WARN,
};

/* A checksum that the user asks for. */
struct digest_choice {
    const char *digest;
    bool plain;        /* of all bytes in one stream, without blocks */
    size_t block_size; /* 0: none is given with it */
};

/* What is computed of an image: cli/digests.h makes the hashes of the engine of
 * it. */
struct digest_options {
    struct digest_choice *choices; /* in the order of the command line */
    unsigned choice_count;
    size_t block_size; /* of those that have none of their own */
    bool list_only;    /* the first hash is that of a list, and was not asked
                        * for otherwise */
};

/* The checksum that the user expects the image to have. */
struct expected_sum {
    const char *hex;             /* NULL: none */
    struct digest_choice choice; /* its digest: NULL if that is not given */
    unsigned hash;               /* the number of its hash, for the engine */
    unsigned char md[BLKHASH_MAX_MD_SIZE];
    unsigned md_len;
};

/* How checksums are written, and how lists are checked. */
struct list_options {
    bool check;
    bool json;
    bool tag;
    bool zero;
    bool ignore_missing;
    bool strict;
    enum verbosity verbosity; /* the last option counts, as in GNU */
    const char *check_only;   /* the last option that needs --check */
};

/* Part number index of count, from 1. */
struct shard {
    unsigned index;
    unsigned count; /* 0: not a part, but all */
};

/* Lists of the digests of all blocks. */
struct digest_list_options {
    const char *write;      /* the list to write, or NULL */
    const char *base;       /* an older list of the image, or NULL */
    const char *base_image; /* or it is that of this file of the chain */
    const char *changes;    /* what has changed since then, if that says it */
    bool resume;            /* go on with what is there of `write` */
    struct shard shard;
    bool diff;  /* compare the operands */
    bool show;  /* the operands are lists */
    bool merge; /* likewise, of the parts of a disk */
};

struct options {
    bool blksum; /* called by that name: some letters and defaults differ */
    uint64_t
        queue_size; /* for blksum: what a thread reads at once; 0: engine's */
    struct engine_options engine;
    struct digest_options digests;
    struct expected_sum expected;
    struct image_options image;
    struct list_options list;
    struct digest_list_options digest_list;
    struct progress_options progress;
    struct nbd_options nbd;
    char **objects;          /* for image.objects */
    const char *part_option; /* the last one that asks for a part, or NULL */
    const char *image_only;  /* the last one that is for images, or NULL */
    const char *hash_only;   /* likewise, for what is hashed */
    bool verbose;
    const char *files_from; /* disksum-mpi: a file with more names of images */
    bool files_null;        /* in which they end with NUL */
    char **images;          /* or lists, where an option says so */
    int image_count;        /* 0: standard input, or */
    char *command_name;     /* a command, */
    char **command;         /* which starts a server; NULL: none */
};

/* Parse the command line. The options point into it. Call options_free(),
 * whatever the result. */
enum options_result options_parse(struct options *o, int argc, char **argv);
void options_free(struct options *o);

#endif
