# SPDX-License-Identifier: LGPL-2.1-or-later
"""disksum-mpi with several images, and with lists."""

import fcntl
import json
import os
import pathlib
import random
import select
import subprocess

import pytest

import mpi_job
from mpi_job import BUILD, disksum, fails, job

from oracle import checksum, random_spec, write_image
from test_nbd_command import wait_until


@pytest.fixture(autouse=True)
def needs_mpi():
    mpi_job.skip_without_mpi()


# --- several images ---------------------------------------------------------------

@pytest.mark.parametrize("ranks", [1, 2, 5])
def test_small_and_large(tmp_path, ranks):
    """In the order of the command line, whoever is done first."""
    rnd = random.Random(ranks)
    names = []
    for i in range(40):
        names.append(f"disk {i}")
        spec = f"{rnd.randrange(65, 80)}M:A 9M:B" if i in (3, 20) else random_spec(rnd)
        write_image(tmp_path / names[-1], spec)
    assert job(ranks, "-t1", *names, cwd=tmp_path).stdout == disksum(*names, cwd=tmp_path)


def test_ten_thousand(tmp_path):
    """Of a sector each, but one of none, and one that is not there."""
    names = [f"d{i}" for i in range(10000)]
    for i, name in enumerate(names):
        (tmp_path / name).write_bytes(i.to_bytes(8, "big") * 64)
    os.remove(tmp_path / "d77")
    os.truncate(tmp_path / "d9999", 0)
    (tmp_path / "names").write_text("\n".join(names) + "\n")
    done = job(4, "--files-from=names", cwd=tmp_path, check=False)
    assert done.returncode == 1
    expected = [f"{checksum(tmp_path / name)}  {name}" for name in names if name != "d77"]
    assert done.stdout.splitlines() == expected
    assert done.stderr == \
        f"disksum-mpi: {os.uname().nodename}: d77: No such file or directory\n"


@pytest.mark.parametrize("null", [False, True])
def test_files_from(tmp_path, null):
    names = ["a", "b c", "-d"] + (["new\nline"] if null else [])
    for i, name in enumerate(names + ["first"]):
        write_image(tmp_path / name, f"{i + 1}k:A")
    end = "\0" if null else "\n"
    text = end.join([*names, ""]) + end
    expected = disksum("--", "first", *names, cwd=tmp_path)
    options = ["--null"] if null else []
    (tmp_path / "names").write_text(text)
    assert job(2, *options, "--files-from", "names", "first", cwd=tmp_path).stdout == expected
    assert job(2, *options, "--files-from=-", "first", cwd=tmp_path,
               input=text).stdout == expected


def is_empty(pipe):
    return not select.select([pipe], [], [], 0)[0]


def is_asleep(program):
    """Or it has ended."""
    stat = pathlib.Path(f"/proc/{program.pid}/stat").read_text()
    return stat.rpartition(") ")[2][0] in "SZ"


def test_names_from_pipe_that_does_not_block(tmp_path):
    """It is another program's that made it so. The second name comes late."""
    for name in "a", "b":
        write_image(tmp_path / name, "1k:A")
    out, into = os.pipe()
    os.set_blocking(out, False)
    os.write(into, b"a\n")
    with subprocess.Popen([mpi_job.PROGRAM, "--files-from=-"], cwd=tmp_path, stdin=out,
                          stdout=subprocess.PIPE, env=mpi_job.environment()) as program:
        wait_until(lambda: is_empty(out) and is_asleep(program))
        os.write(into, b"b\n")
        os.close(into)
        assert program.communicate()[0].decode() == disksum("a", "b", cwd=tmp_path)
    os.close(out)


def test_last_name_without_newline(tmp_path):
    write_image(tmp_path / "disk", "1k:A")
    (tmp_path / "names").write_text("disk")
    assert job(2, "--files-from=names", cwd=tmp_path).stdout == disksum("disk", cwd=tmp_path)


def test_no_names(tmp_path):
    (tmp_path / "names").touch()
    assert job(2, "--files-from=names", cwd=tmp_path).stdout == ""


def test_zero_and_json(tmp_path):
    names = ["a", "new\nline"]
    for name in names:
        write_image(tmp_path / name, "10k:A")
    assert job(2, "-z", *names, cwd=tmp_path).stdout == disksum("-z", *names, cwd=tmp_path)
    lines = [json.loads(line) for line in
             job(2, "--json", *names, cwd=tmp_path).stdout.splitlines()]
    expected = [json.loads(line) for line in disksum("--json", *names, cwd=tmp_path).splitlines()]
    for line in lines + expected:
        del line["seconds"]
    assert lines == expected


# --- lists -----------------------------------------------------------------------

@pytest.mark.parametrize("ranks", [1, 3])
@pytest.mark.parametrize("spec", ["", "77:A", "30M:A 70M:- 9M:B 3M:0 600:-"])
def test_list(tmp_path, ranks, spec):
    """The bytes of that which one process writes. The time between two checks depends on
    the time, but not here."""
    content = write_image(tmp_path / "disk", spec)
    done = job(ranks, "-t1", "--write-list=ours", "disk", cwd=tmp_path)
    assert done.stdout == f"{checksum(content)}  disk\n"
    disksum("--write-list=theirs", "disk", cwd=tmp_path)
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()
    assert not (tmp_path / "ours.part").exists()


# With small blocks, so that the list has a check after every 8 MiB of data.
SMALL = ["-d", "sha512", "--block-size=512"]


@pytest.fixture
def interrupted(tmp_path):
    """A disk of 40 MiB and a little, whose list was begun by a job that failed: its bad
    sector is at this offset."""
    def make(offset):
        content = write_image(tmp_path / "disk", "9M:A 3M:0 28M:B 77:C")
        env = {"READ_ERROR_OFFSET": offset, "LD_PRELOAD": f"{BUILD}/tests/read-error.so"}
        fails(2, "-t1", *SMALL, "--write-list=list", "disk", cwd=tmp_path,
              mpirun=[word for name, value in env.items()
                      for word in ("-x", f"{name}={value}")])
        assert not (tmp_path / "list").exists()
        assert (tmp_path / "list.part").exists()
        return checksum(content, 512, "sha512")
    return make


@pytest.mark.parametrize("offset", [20000000, 39000000, 41000000])
def test_resume(tmp_path, interrupted, offset):
    """By another job. What the list has is not read again."""
    expected = interrupted(offset)
    done = job(3, "-t1", *SMALL, "--json", "--write-list=list", "--resume", "disk", cwd=tmp_path)
    found = json.loads(done.stdout)
    assert found["checksum"] == expected
    assert offset - found["known"] < 20 << 20
    assert found["read"] == (40 << 20) + 77 - found["known"]
    disksum(*SMALL, "--write-list=theirs", "disk", cwd=tmp_path)
    assert (tmp_path / "list").read_bytes() == (tmp_path / "theirs").read_bytes()


def test_resume_by_one_process(tmp_path, interrupted):
    expected = interrupted(39000000)
    assert disksum(*SMALL, "--write-list=list", "--resume", "disk", cwd=tmp_path) == \
        f"{expected}  disk\n"


def test_resume_from_the_end(tmp_path):
    """All of it is there but its name."""
    content = write_image(tmp_path / "disk", "3M:A 77:B")
    disksum("--write-list=list", "disk", cwd=tmp_path)
    os.rename(tmp_path / "list", tmp_path / "list.part")
    done = job(2, "--json", "--write-list=list", "--resume", "disk", cwd=tmp_path)
    found = json.loads(done.stdout)
    assert (found["checksum"], found["read"]) == (checksum(content), 0)
    assert (tmp_path / "list").exists()


def test_resume_of_another_state(tmp_path, interrupted):
    interrupted(39000000)
    with open(tmp_path / "disk", "r+b") as f:
        f.write(b"x")
    line = fails(2, *SMALL, "--write-list=list", "--resume", "disk", cwd=tmp_path)
    assert line.startswith("list.part: the list is of another image: ")
    assert not (tmp_path / "list").exists()


def test_resume_nothing(tmp_path):
    write_image(tmp_path / "disk", "1M:A")
    assert job(2, "--write-list=list", "--resume", "disk", cwd=tmp_path).stdout == \
        disksum("disk", cwd=tmp_path)


def test_list_of_another_run(tmp_path):
    write_image(tmp_path / "disk", "1M:A")
    (tmp_path / "list.part").write_text("x")
    assert fails(2, "--write-list=list", "disk", cwd=tmp_path).startswith("list.part: ")


def test_list_in_the_place_of_the_image(tmp_path):
    content = write_image(tmp_path / "disk", "1M:A")
    assert "is not a digest list" in fails(2, "--write-list=disk", "disk", cwd=tmp_path)
    assert (tmp_path / "disk").read_bytes() == content


def test_list_on_standard_output(tmp_path):
    """Open MPI makes a terminal of it, which may change what is written."""
    write_image(tmp_path / "disk", "1M:A")
    done = job(2, "--write-list=-", "disk", cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"disksum-mpi: {os.uname().nodename}: -: is a terminal; a digest " \
        "list is binary\n"


# --- wrong usage ------------------------------------------------------------------

@pytest.mark.parametrize("words, message", [
    ([], "no image was given"),
    (["--check", "disk"], "unrecognized option '--check'"),
    (["--resume", "disk"], "the --resume option requires --write-list"),
    (["--shard=1/2", "disk"], "unrecognized option '--shard=1/2'"),
    (["--plain=sha256", "disk"], "unrecognized option '--plain=sha256'"),
    (["-d", "sha1", "-d", "md5", "disk"], "there can be only one digest"),
    (["-d", "null", "disk"], "the digest null computes nothing"),
    (["--progress=2", "disk"], "option '--progress' doesn't allow an argument"),
    (["--progress=3", "disk"], "option '--progress' doesn't allow an argument"),
    (["-p=2", "disk"], "option '-p' doesn't allow an argument"),
    (["--null", "disk"], "the --null option requires --files-from"),
    (["--", "[", "nbdkit", "null", "]"],
     "each rank would start the command; start it once, and use an NBD URI"),
    (["--write-list=list", "disk", "disk"], "--write-list takes one image")])
def test_usage(tmp_path, words, message):
    """Said once, by rank 0."""
    done = job(3, *words, cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"disksum-mpi: {message}\n" \
        "Try 'disksum-mpi --help' for more information.\n"


@pytest.mark.parametrize("words, message", [
    (["-"], "-: standard input cannot be an image: each rank has another one"),
    (["--files-from=names"], "names: standard input cannot be an image: each rank has another "
                             "one"),
    (["--files-from=no"], "no: No such file or directory"),
    (["--files-from=nul"], "nul: a NUL in a line; --null is for names that end with one"),
    (["--write-list=list", "--files-from=two"], "--write-list takes one image"),
    (["--write-list=no/list", "disk"], "no/list: cannot open its directory: No such file or directory")])
def test_names_that_cannot_be(tmp_path, words, message):
    (tmp_path / "names").write_text("disk\n-\n")
    (tmp_path / "nul").write_text("disk\0disk\0")
    (tmp_path / "two").write_text("disk\ndisk\n")
    assert fails(2, *words, cwd=tmp_path) == message


def test_list_that_another_process_writes(tmp_path):
    write_image(tmp_path / "disk", "1M:A")
    with open(tmp_path / "list.part", "wb") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        assert fails(2, "--write-list=list", "disk", cwd=tmp_path) == \
            "list.part: another process is writing it"


def test_help(tmp_path):
    done = job(2, "--help", cwd=tmp_path)
    assert done.stdout.startswith("Usage: mpirun disksum-mpi [OPTION]... IMAGE...\n")
    assert done.stdout.count("--files-from=FILE") == 1
    assert "  -p, --progress             show progress\n" in done.stdout
    assert "--check" not in done.stdout
    version = disksum("--version").split()[1]
    assert job(2, "--version", cwd=tmp_path).stdout == f"disksum-mpi {version}\n"


# --- progress ---------------------------------------------------------------------

def test_progress(tmp_path):
    """Lines on rank 0, in a log; the last one says that all is done."""
    write_image(tmp_path / "disk", "20M:A 90M:-")
    done = job(3, "-t1", "-p", "disk", cwd=tmp_path, check=False)
    assert done.returncode == 0
    assert " 100.0% of 110 MiB" in done.stderr.splitlines()[-1]
    assert job(3, "-t1", "-p", "-q", "disk", cwd=tmp_path).stdout == done.stdout
