# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is built and installed, seen from outside."""

import os
import re
import shutil
import subprocess

import pytest

from conftest import kernels, sums
from oracle import checksum, write_image


def run(*command, **kwargs):
    return subprocess.run(list(map(str, command)), check=True,
                          stdout=subprocess.PIPE, **kwargs).stdout.decode()


def declared(root):
    """The names of the functions of blkhash.h."""
    text = re.sub(r"/\*.*?\*/", "", (root / "include/blkhash.h").read_text(),
                  flags=re.S)
    return set(re.findall(r"\b(blkhash_\w+)\(", text))


def test_exported_symbols(build, root):
    out = run("nm", "-D", "--defined-only", build / "libblkhash.so")
    symbols = {line.split()[2] for line in out.splitlines()}
    assert {symbol.split("@")[0] for symbol in symbols} == \
        declared(root) | {"BLKHASH_1.0"}


def test_symbols_are_versioned(build):
    out = run("readelf", "--dyn-syms", "--wide", build / "libblkhash.so")
    lines = [line for line in out.splitlines()
             if "blkhash_new" in line and "UND" not in line]
    assert lines and all("@@BLKHASH_1.0" in line for line in lines)


def test_soname(build):
    assert "libblkhash.so.1]" in run("readelf", "-d", build / "libblkhash.so")


def test_command_uses_the_public_library(build):
    out = run("nm", "-D", "--undefined-only", build / "disksum")
    assert "blkhash_root_final" in out
    assert "EVP_" not in out and "blake3" not in out


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The tree of the build that is tested, installed."""
    from conftest import BUILD
    prefix = tmp_path_factory.mktemp("prefix")
    run("meson", "install", "-C", BUILD, "--destdir", prefix,
        stderr=subprocess.STDOUT)
    return prefix


def find(directory, name):
    [path] = list(directory.rglob(name))
    return path


def library_directory():
    """Where libraries are, below a prefix: with the name of the architecture
    on Debian."""
    if os.path.exists("/etc/debian_version") and \
            shutil.which("dpkg-architecture"):
        return "lib/" + run("dpkg-architecture", "-qDEB_HOST_MULTIARCH").strip()
    lib64 = "/usr/lib64"
    return "lib64" if os.path.isdir(lib64) and not os.path.islink(lib64) \
        else "lib"


def places():
    """What belongs below the prefix, and nothing else does."""
    lib = library_directory()
    files = {"bin/disksum", "include/blkhash.h", f"{lib}/libblkhash.a",
             f"{lib}/libblkhash.so", f"{lib}/libblkhash.so.1",
             f"{lib}/libblkhash.so.1.0.0", f"{lib}/pkgconfig/blkhash.pc",
             "share/bash-completion/completions/disksum",
             "share/zsh/site-functions/_disksum",
             "share/fish/vendor_completions.d/disksum.fish"}
    if shutil.which("scdoc"):
        files |= {"share/man/man1/disksum.1", "share/man/man3/blkhash.3"}
    if shutil.which("mpicc"):
        files |= {"bin/disksum-mpi"} | \
            ({"share/man/man1/disksum-mpi.1"} if shutil.which("scdoc") else set())
    return files


def files_below(directory):
    return {str(path.relative_to(directory)) for path in directory.rglob("*")
            if not path.is_dir()}


def test_make_install(root, tmp_path):
    """Each file has its place, below DESTDIR and PREFIX. What the compiler could
    do better is left out: that takes most of the time."""
    def install(**variables):
        run("make", "-C", root, "install", f"BUILD={tmp_path}/build",
            *(f"{name}={value}" for name, value in variables.items()),
            stderr=subprocess.STDOUT, env={**os.environ, "CFLAGS": "-O0"})

    for destdir in (
            tmp_path / "destdir", tmp_path / "it's a destdir",
            os.path.relpath(tmp_path / "relative destdir", root)):
        install(PREFIX="/usr", DESTDIR=destdir)
        assert files_below(root / destdir) == \
            {f"usr/{path}" for path in places()}
        # The command finds its library in the usual place.
        assert "RUNPATH" not in run("readelf", "-d",
                                    root / destdir / "usr/bin/disksum")

    prefix = tmp_path / "it's a prefix"
    install(PREFIX=prefix, DESTDIR="")
    assert files_below(prefix) == places()
    # ... and elsewhere, too.
    out = run(prefix / "bin/disksum", root / "demo/disk.raw")
    assert out.startswith("731f1e2f")
    prefixes = re.findall("^prefix=(.*)", (
        prefix / library_directory() / "pkgconfig/blkhash.pc").read_text(), re.M)
    assert [p.replace("\\", "") for p in prefixes] == [str(prefix)]

    # A program that uses it there, by the README.
    [commands] = re.findall(r"^```sh\n(make install .*?)```", (root / "README.md").read_text(),
                            re.M | re.S)
    run("sh", "-e", "-c", commands, cwd=root, stderr=subprocess.STDOUT,
        env={**os.environ, "HOME": str(tmp_path), "MAKEFLAGS": f"BUILD={tmp_path}/build",
             "PKG_CONFIG_PATH": ""})
    out = run(tmp_path / "blkhash/bin/blkhash-sum", root / "demo/disk.raw")
    assert out.startswith("731f1e2f")


def outside(installed):
    """The environment of a program that is built against what is installed."""
    return {**os.environ,
            "PKG_CONFIG_PATH": str(find(installed, "blkhash.pc").parent),
            "PKG_CONFIG_SYSROOT_DIR": str(installed),
            "LD_LIBRARY_PATH": str(find(installed, "libblkhash.so.1").parent)}


# A program of the five functions that most callers need.
CALLER = """
    #include <blkhash.h>
    #include <stdio.h>
    #include <stdlib.h>
    int main(void)
    {
        struct blkhash *h = blkhash_new(65536, "sha256");
        unsigned char md[BLKHASH_MAX_MD_SIZE];
        unsigned int len;

        if (!h || blkhash_update(h, "hello", 5) || blkhash_zero(h, 0) ||
            blkhash_final(h, md, &len))
            return 1;
        for (unsigned int i = 0; i < len; i++)
            printf("%02x", md[i]);
        blkhash_free(h);
        return 0;
    }
    """


def check_caller(program, env):
    out = run(program, env=env)
    assert out.startswith("337355fe") and out.endswith("45e6")


def link_static(installed, source, program):
    """pkg-config tells all that a static program needs of others."""
    flags = run("pkg-config", "--cflags", "--libs", "--static", "blkhash",
                env=outside(installed)).split()
    flags = ["-l:libblkhash.a" if f == "-lblkhash" else f for f in flags]
    run("cc", "-Wall", "-Wextra", "-Werror", source, "-o", program, *flags)


@pytest.mark.no_sanitizer
def test_caller_by_meson(installed, tmp_path):
    """A project that wants a version of this library, which other projects of
    the name have had, too, builds with it."""
    (tmp_path / "caller.c").write_text(CALLER)
    (tmp_path / "meson.build").write_text("""
        project('caller', 'c', default_options: ['werror=true'])
        executable('caller', 'caller.c',
            dependencies: dependency('blkhash', version: '>=0.4.1'))
        """)
    env = outside(installed)
    run("meson", "setup", tmp_path / "build", tmp_path, env=env)
    run("ninja", "-C", tmp_path / "build", env=env)
    check_caller(tmp_path / "build/caller", env)


def test_versions_agree(disksum, installed):
    version = run("pkg-config", "--modversion", "blkhash",
                  env=outside(installed)).strip()
    assert disksum("--version").stdout == f"disksum {version}\n"


@pytest.mark.no_sanitizer
def test_static_library(installed, tmp_path):
    source, program = tmp_path / "sum.c", tmp_path / "sum"
    source.write_text(CALLER)
    link_static(installed, source, program)
    assert "libblkhash" not in run("readelf", "-d", program)
    check_caller(program, None)


def test_archive_is_polite(installed):
    """The static library has no names that a program could have, too."""
    out = run("nm", "-g", "--defined-only", find(installed, "libblkhash.a"),
              stderr=subprocess.DEVNULL)
    names = {line.split()[2] for line in out.splitlines()
             if len(line.split()) == 3}
    assert names
    assert not {name for name in names if not name.startswith("blkhash_")}


@pytest.mark.no_sanitizer
def test_program_with_names_of_ours(installed, root, tmp_path):
    """Functions of a static program that are named as those inside of the
    library do no harm."""
    names = re.findall(r"^#define (\w+) ", "\n".join(
        (root / "lib" / header).read_text()
        for header in ("names.h", "blake3-names.h")), re.M)
    ours = [name for name in names if not name.endswith("_H")]
    assert {"queue_new", "digest_open", "blake3_hasher_init"} <= set(ours)
    source, program = tmp_path / "sum.c", tmp_path / "sum"
    source.write_text(CALLER + "\n".join(
        f"void {name}(void);\nvoid {name}(void) {{ abort(); }}"
        for name in ours))
    link_static(installed, source, program)
    check_caller(program, None)


def test_header_is_for_cxx_too(root, tmp_path):
    source = tmp_path / "all.c"
    source.write_text("#include <blkhash.h>\n")
    for command in ["cc", "-std=c99"], ["cc", "-x", "c++", "-std=c++11"]:
        if "c++" in command and not shutil.which("c++"):
            continue
        run(*command, "-Wall", "-Wextra", "-pedantic", "-Werror",
            "-fsyntax-only", f"-I{root}/include", source)


def test_kernels_are_named_once(root):
    """Their names are in lib/meson.build and in their own files; other code takes
    them from the library."""
    names = set(kernels()) - {"openssl"}
    found = set()
    for room in "include", "lib", "engine", "cli", "man", "completions", "tests/unit":
        for path in (root / room).iterdir():
            text = path.read_text() if path.is_file() else ""
            if path.parent.name != "include":
                text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
            if names & set(re.findall(r"\w+", text)):
                found.add(str(path.relative_to(root)))
    assert found <= {"lib/meson.build",
                     *(f"lib/sha256-{name}.c" for name in names)}


# --- examples ------------------------------------------------------------

EXAMPLES = ["blkhash-sum", "blkhash-async"]


def check_examples(disksum, directory, tmp_path, env):
    disk, odd, short = (tmp_path / name for name in ("disk", "odd", "short"))
    for path, parts in [(disk, "3M:A 70M:- 100k:B 5M:0 2M:C 300k:-"),
                        (odd, "20k:- 512:A 9M:B 4k:- 80k:C"),
                        (tmp_path / "empty", "")]:
        content = write_image(path, parts)
        assert len(content) % 512 == 0
        expected = sums(disksum(path).stdout)[0]
        for name in EXAMPLES:
            assert run(directory / name, path, env=env) == \
                f"{expected}  {path}\n"
    short.write_bytes(b"hello")  # the library does not pad
    for name in EXAMPLES:
        assert run(directory / name, short, env=env)[:8] == "337355fe"


@pytest.mark.sanitizer
def test_examples(disksum, build, tmp_path):
    check_examples(disksum, build / "examples", tmp_path, None)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_fails(build, tmp_path, name):
    for path, error in [(tmp_path, "Is a directory"),
                        (tmp_path / "none", "No such file or directory"),
                        ("/dev/null", "Illegal seek")]:
        failed = subprocess.run([build / "examples" / name, path],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert (failed.returncode, failed.stdout, failed.stderr.decode()) == \
            (1, b"", f"{name}: {path}: {error}\n")


@pytest.mark.no_sanitizer
def test_examples_outside_of_the_tree(disksum, installed, root, tmp_path):
    for path in (root / "examples").iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    env = {**outside(installed), "CFLAGS": "-Werror"}
    run("make", "-C", tmp_path, env=env)
    check_examples(disksum, tmp_path, tmp_path, env)


@pytest.mark.no_sanitizer
def test_example_of_the_manual(installed, root, tmp_path):
    """It compiles and runs as it stands."""
    page = (root / "man/blkhash.3.scd").read_text()
    [example] = re.findall(r"^# EXAMPLES\n.*?^```\n(.*?)^```\n", page, re.M | re.S)
    (tmp_path / "example.c").write_text(example)
    env = outside(installed)
    flags = run("pkg-config", "--cflags", "--libs", "blkhash", env=env).split()
    run("cc", "-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-o", tmp_path / "example",
        tmp_path / "example.c", *flags, env=env)
    assert run(tmp_path / "example", env=env) == \
        checksum(b"hello" + bytes(16 << 20), sector=1) + "\n"


# --- manual pages --------------------------------------------------------

def manual(installed, name):
    text = run("man", "--warnings", "-l", find(installed, name),
               stderr=subprocess.STDOUT,
               env={**os.environ, "MANWIDTH": "200", "LC_ALL": "C.UTF-8"})
    assert "warning:" not in text
    return text


@pytest.mark.skipif(not shutil.which("man"), reason="there is no man")
def test_manual_of_the_command(disksum, installed):
    text = manual(installed, "disksum.1")
    options = set(re.findall(r"^--[a-z-]+", disksum("--long-options").stdout, re.M))
    assert len(options) > 10
    for option in options:
        assert option in text


@pytest.mark.skipif(not shutil.which("man"), reason="there is no man")
def test_manual_of_the_library(root, installed):
    text = manual(installed, "blkhash.3")
    for name in declared(root):
        assert f"{name}(" in text
