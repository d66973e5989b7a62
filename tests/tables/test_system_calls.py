"""The table of system calls is that of the kernel's headers, and refuses what it has to."""

from __future__ import annotations

import pytest

from gradflow.process.sandbox import seccomp, system_calls
from gradflow.process.sandbox.system_calls import MACHINES, Rule
from gradflow.tables import system_calls as written

REFUSED = """
    socket connect bind listen accept accept4 sendmsg sendmmsg execve execveat fork vfork ptrace
    process_vm_readv process_vm_writev pidfd_send_signal pidfd_getfd rt_sigqueueinfo tkill
    setpriority sched_setscheduler sched_setattr ioprio_set chmod fchmodat chown setxattr utimensat
    truncate mknod mknodat flock mount umount2 mount_setattr fanotify_init open_by_handle_at bpf
    unshare setns keyctl shmget msgget semget mq_open init_module kexec_load reboot settimeofday
    setuid setgid setresuid capset setsid setpgid perf_event_open userfaultfd syslog personality
    splice vmsplice sync syncfs io_submit iopl ioperm
""".split()


def rows() -> dict[str, list[str]]:
    lines = system_calls.PATH.read_text(encoding="utf-8").splitlines()[2:]
    return {line.split("\t")[0]: line.split("\t") for line in lines}


@pytest.mark.skipif(
    not all(path.exists() for path in written._HEADERS.values()),
    reason="the headers of Linux are not installed (linux-libc-dev)",
)
def test_the_numbers_are_those_of_the_headers() -> None:
    """Headers of another age have other calls; none of them has another number."""
    table = rows()
    for column, (machine, path) in enumerate(written._HEADERS.items(), 1):
        assert list(written._HEADERS) == list(MACHINES)
        calls = written.defined(path.read_text(encoding="utf-8"))
        different = [
            name
            for name, number in calls.items()
            if name in table and table[name][column] not in ("", str(number))
        ]
        assert (machine, different) == (machine, [])


def test_the_rules_are_those_of_the_names() -> None:
    rules = written.rules()

    assert {name: Rule(row[-1]) for name, row in rows().items() if row[-1] != "refuse"} == rules
    assert not set(REFUSED) & rules.keys()
    assert set(REFUSED) <= rows().keys()


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("process", [1, 1234, 0x10001, 4194304])
def test_the_program_for_a_process_has_its_number_where_it_belongs(
    machine: str, process: int
) -> None:
    assert seccomp.program_for(machine, process) == b"".join(seccomp._filter(machine, process))


@pytest.mark.parametrize("machine", MACHINES)
def test_a_filter_jumps_no_further_than_it_can(machine: str) -> None:
    """Of each machine, here too."""
    code = seccomp._filter(machine, 1234)

    assert all(len(step) == 8 for step in code)
    assert len(code) < 1000  # the kernel takes 4,096
    for at, step in enumerate(code):
        if step[0] & 7 == 5:
            assert at + 1 + max(step[2], step[3]) < len(code)
