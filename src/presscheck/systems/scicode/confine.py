"""What a process gives up before it runs code that it does not trust.

Resource limits, capabilities, files (Landlock), system calls (seccomp).

Landlock (Linux 5.13) limits which files a process and its children can touch; seccomp,
through the C library libseccomp, which system calls they can make. Both are bound by
``ctypes``: of the bindings on PyPI, pyseccomp has had no release since January 2021.

This file is also read inside the sandbox, by path: standard library only.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import os
import resource
import signal
from pathlib import Path
from typing import Any

PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG = 4, 38, 1
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446  # the same on every architecture
READ_RIGHTS = 1 << 0 | 1 << 2 | 1 << 3  # execute, read a file, read a folder
FILE_RIGHTS = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15  # those that mean something for a plain file
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
NOT_EQUAL, MASKED_EQUAL = 1, 7
CLONE_THREAD = 0x00010000

DENIED = """
socket socketpair connect bind listen accept accept4 sendto sendmsg sendmmsg fork vfork execve execveat
ptrace process_vm_readv process_vm_writev kcmp pidfd_open pidfd_getfd pidfd_send_signal
rt_sigqueueinfo rt_tgsigqueueinfo unshare setns mount umount2 pivot_root chroot open_tree move_mount fsopen
fsmount fspick mount_setattr bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register
add_key request_key keyctl kexec_load kexec_file_load init_module finit_module delete_module reboot swapon
swapoff acct quotactl settimeofday clock_settime clock_adjtime adjtimex sethostname setdomainname personality
name_to_handle_at open_by_handle_at chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat setxattr
lsetxattr fsetxattr removexattr lremovexattr fremovexattr utime utimes utimensat futimesat mknod mknodat
shmget shmat shmctl semget semop semctl msgget msgsnd msgctl mq_open mq_unlink setrlimit setsid setpgid
setuid setgid setreuid setregid setresuid setresgid setgroups capset sched_setaffinity sched_setscheduler
setpriority fanotify_init inotify_init inotify_init1 syslog vhangup iopl ioperm
""".split()
"""System calls that fail with EPERM. Denied besides: a clone that is no thread, and signals to others."""


class _Compare(ctypes.Structure):
    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno() or -result
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def landlock_abi() -> int:
    """The version of Landlock that this kernel has; 0 for none."""
    return max(0, int(_libc().syscall(LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)))


def libseccomp() -> Any:
    """The C library, or None where it is not installed."""
    for name in ("libseccomp.so.2", ctypes.util.find_library("seccomp") if os.name == "posix" else None):
        try:
            if name:
                return ctypes.CDLL(name, use_errno=True)
        except OSError:
            continue
    return None


def limit(limits: dict[str, Any]) -> None:
    """Set the resource limits of this process; its children inherit them.

    Args:
        limits: ``memory`` and ``file`` in bytes, ``cpu`` in seconds, ``processes``.
    """
    cpu = max(1, int(limits["cpu"]))
    for what, soft, hard in (
        (resource.RLIMIT_AS, limits["memory"], limits["memory"]),
        (resource.RLIMIT_CPU, cpu, cpu + 1),
        (resource.RLIMIT_FSIZE, limits["file"], limits["file"]),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_NOFILE, 256, 256),
        (resource.RLIMIT_MEMLOCK, 0, 0),
        (resource.RLIMIT_MSGQUEUE, 0, 0),
        (resource.RLIMIT_STACK, 64 << 20, 64 << 20),
    ):
        resource.setrlimit(what, (int(soft), int(hard)))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing too much is an OSError, as on a full disk
    if limits["processes"]:
        resource.setrlimit(resource.RLIMIT_NPROC, (limits["processes"], limits["processes"]))


def give_up_rights() -> None:
    """No new privileges, no capabilities, and memory that no other process of this user may read."""
    libc = _libc()
    _check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    _check(libc.capset(header, (ctypes.c_uint32 * 6)()), "capset")
    _check(libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "dumpable")


def die_with_parent() -> None:
    """Be killed when the thread that started this process ends."""
    _check(_libc().prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "pdeathsig")


def landlock(readable: list[str], writable: list[str]) -> None:
    """Leave only these folders and files to this process, and no TCP port.

    Raises:
        OSError: if the kernel has no Landlock.
    """
    abi, libc = landlock_abi(), _libc()
    if not abi:
        raise OSError(errno.ENOSYS, "this kernel has no Landlock")
    rights = (1 << 13) - 1 | (1 << 13 if abi >= 2 else 0) | (1 << 14 if abi >= 3 else 0)
    rights |= 1 << 15 if abi >= 5 else 0
    network, scoped = (3 if abi >= 4 else 0), (3 if abi >= 6 else 0)
    attributes = (ctypes.c_uint64 * 3)(rights, network, scoped)
    size = ctypes.c_size_t(24 if abi >= 6 else 16 if abi >= 4 else 8)
    ruleset = _check(libc.syscall(LANDLOCK_CREATE, attributes, size, 0), "landlock")
    try:
        for paths, allowed in ((readable, READ_RIGHTS & rights), (writable, rights)):
            for path in paths:
                if not Path(path).exists():
                    continue
                given = allowed if Path(path).is_dir() else allowed & FILE_RIGHTS
                handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
                rule = ctypes.create_string_buffer(
                    given.to_bytes(8, "little") + handle.to_bytes(4, "little"), 12
                )
                _check(libc.syscall(LANDLOCK_ADD, ruleset, 1, rule, 0), f"landlock rule for {path}")
                os.close(handle)
        _check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
        _check(libc.syscall(LANDLOCK_RESTRICT, ruleset, 0), "landlock")
    finally:
        os.close(ruleset)


def seccomp(*, processes: bool) -> None:
    """Take away the system calls of `DENIED`.

    Args:
        processes: Whether to leave it ``fork`` (never ``execve``).

    Raises:
        OSError: if libseccomp is missing or refuses.
    """
    library = libseccomp()
    if library is None:
        raise OSError(errno.ENOENT, "libseccomp is not installed")
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_rule_add_array.argtypes = [
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.POINTER(_Compare),
    ]
    for call in (library.seccomp_load, library.seccomp_release):
        call.argtypes = [ctypes.c_void_p]
    context = library.seccomp_init(ALLOW)
    if not context:
        raise OSError(errno.ENOMEM, "libseccomp gives no filter")

    def deny(name: str, *conditions: _Compare, code: int = errno.EPERM) -> None:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number < 0:  # no such call on this architecture, or newer than this libseccomp
            return
        array = (_Compare * max(1, len(conditions)))(*conditions)
        added = library.seccomp_rule_add_array(context, ERRNO | code, number, len(conditions), array)
        _check(added, f"seccomp rule for {name}")

    try:
        for name in DENIED:
            if not (processes and name in {"fork", "vfork"}):
                deny(name)
        for name in ("kill", "tgkill"):
            deny(name, _Compare(0, NOT_EQUAL, os.getpid(), 0))
        deny("tkill")
        deny("prlimit64", _Compare(2, NOT_EQUAL, 0, 0))
        deny("clone3", code=errno.ENOSYS)  # its flags lie in memory; libc then falls back to clone
        if not processes:
            deny("clone", _Compare(0, MASKED_EQUAL, CLONE_THREAD, 0))
        _check(library.seccomp_load(context), "seccomp")
    finally:
        library.seccomp_release(context)
