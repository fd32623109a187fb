"""Runs one command and prints what it cost as one JSON line: wall and CPU seconds, peak memory in MB, bytes written.

A process of its own, started as `python -I -S`, because a child's peak memory is never below its parent's: this one has
8 MB, a benchmark that holds results has more. Standard output of the command goes to the file named, or nowhere.

    python -I -S bench_child.py STDOUT|- COMMAND [ARGUMENT]...
"""

import os
import sys
import time


def main() -> int:
    target, command = sys.argv[1], sys.argv[2:]
    out = os.open(os.devnull if target == "-" else target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    began = time.perf_counter()
    pid = os.posix_spawnp(
        command[0],
        command,
        os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, nothing, 0), (os.POSIX_SPAWN_DUP2, out, 1)],
    )
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    wall = time.perf_counter() - began
    written = 0
    try:
        with open(f"/proc/{pid}/io", encoding="ascii") as counters:  # noqa: PTH123  # no pathlib here; a zombie's are complete
            written = next(int(line.split()[1]) for line in counters if line.startswith("wchar"))
    except OSError:
        pass  # not Linux, or not allowed: the other figures stand
    _, status, usage = os.wait4(pid, 0)
    cpu = usage.ru_utime + usage.ru_stime
    code = os.waitstatus_to_exitcode(status)
    found = f'"wall": {wall:.6f}, "cpu": {cpu:.6f}, "mb": {usage.ru_maxrss / 1024:.1f}'
    print(f'{{{found}, "written": {written}, "code": {code}}}')  # noqa: T201  # whoever started it reads this line
    return 0


if __name__ == "__main__":
    sys.exit(main())
