/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reader/pseudo-file.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/vfs.h>

#include "common/array.h"

/* From linux/magic.h and the kernel's sources; older headers lack some. */
static const uint32_t pseudo_file_systems[] = {
    0x00009fa0, /* proc */
    0x62656572, /* sysfs */
    0x64626720, /* debugfs */
    0x74726163, /* tracefs */
    0x62656570, /* configfs */
    0x73636673, /* securityfs */
    0xf97cff8c, /* selinuxfs */
    0x43415d53, /* smackfs */
    0x5a3c69f0, /* apparmorfs */
    0x0027e0eb, /* cgroup */
    0x63677270, /* cgroup2 */
    0x07655821, /* resctrl */
    0xcafe4a11, /* bpf */
    0x6165676c, /* pstore */
    0xde5e81e4, /* efivarfs */
    0x42494e4d, /* binfmt_misc */
    0x65735543, /* fusectl */
    0x19800202, /* mqueue */
    0x6e667364, /* nfsd */
    0x67596969, /* rpc_pipefs */
    0x00009fa1, /* openprom */
    0xabba1974, /* xenfs */
};

bool is_pseudo_file(const char *path)
{
    struct statfs fs;

    if (statfs(path, &fs) != 0)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(pseudo_file_systems); i++) {
        if ((uint32_t)fs.f_type == pseudo_file_systems[i])
            return true;
    }
    return false;
}
