/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/help.h"

#include <stdio.h>

/* A screen of 24 lines has it all, and the prompt. */
static const char text[] =
    "Usage: disksum [OPTION]... [IMAGE]...             files, NBD URIs, - for stdin\n"
    "  or:  disksum --check [OPTION]... [SUMS]...      lists of what was printed\n"
    "  or:  disksum [OPTION]... -- [ COMMAND ARG... ]  an NBD server to start\n"
    "Print checksums of what guests see on disks, the same whatever format and holes.\n"
    "They can not be compared with the sha256sum of the bytes. 'man disksum' has all.\n"
    "What is hashed                         How it is read\n"
    " -d, --digest=NAME     default sha256   -T, --source-cache=MODE none: direct I/O\n"
    " -a, --algorithm=NAME  the same         %s --cache             as -T writeback\n"
    "     --block-size=SIZE default 64k      -U, --force-share       even when in use\n"
    " %s --list-digests    print the names      --no-extents        read holes, too\n"
    " -f, --format=FMT      default: probed  -t, --threads=N         one for each CPU\n"
    " %s --snapshot=NAME   its id or name       --queue-depth=N     default 8\n"
    "     --image-opts      options of QEMU      --read-size=SIZE    default 1M\n"
    "     --object=DEF      secret, TLS key      --connections=N     NBD, default 4\n"
    "     --standalone      no backing file      --timeout=SECONDS   NBD, default 120\n"
    "What is printed                        Check\n"
    "     --tag             name the digest  %s --check             verify by SUMS\n"
    " -z, --zero            end in NUL           --ignore-missing    skip if no file\n"
    "     --json            --output=json        --status            exit status only\n"
    " -p, --progress[=FD]   bar, or to FD        --strict            bad lines fail\n"
    " -q, --quiet           errors only      -w, --warn              name bad lines\n"
    " -v, --verbose         what was read   Exit status: 0; 1 if an image failed or\n"
    " -h, --help            -V, --version   did not match; 2 for wrong usage\n";

void help_print(bool blksum)
{
    static const char none[] = "   ";
    const char *c = "-c,";
    const char *l = "-l,";

    printf(text, blksum ? c : none, blksum ? l : none, blksum ? none : l,
           blksum ? none : c);
}
