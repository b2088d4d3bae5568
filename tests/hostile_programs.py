"""Programs that try to reach other processes, the process that serves them, or the program after them; each with the statuses allowed.

A program prints REACHED where it got what it must not get. PROBE is run after each of them, and must print what it printed before.
"""

CALL = "import ctypes, os, signal, sys\nlibc = ctypes.CDLL(None, use_errno=True)\ncall = libc.syscall\nz = ctypes.create_string_buffer(256)\n"
CALLS = (
    CALL
    + "import platform\ndef reach(name, x86, arm, *arguments):\n    number = x86 if platform.machine() == 'x86_64' else arm\n    if number is not None and call(number, *arguments) >= 0: print('REACHED', name)\n"
)

OTHERS = {
    "limits of others by prlimit64": (CALLS + "one = (ctypes.c_ulong * 2)(1, 1)\nfor pid in (1, os.getppid()):\n    for limit in range(16): reach(f'limit {limit}', 302, 261, pid, limit, one, None)", "ok"),
    "limits of others, with high bits in the pid": (CALLS + "one = (ctypes.c_ulong * 2)(1, 1)\nreach('limit', 302, 261, ctypes.c_ulong(0xDEADBEEF00000001), 7, one, None)", "ok"),
    "limits of others by resource": ("import resource\nfor name in [n for n in dir(resource) if n.startswith('RLIMIT_')]:\n    try: resource.prlimit(1, getattr(resource, name), (1, 1)); print('REACHED', name)\n    except (OSError, ValueError): pass", "ok"),
    "limits of others while a fork holds on": ("import os, resource, time\nif os.fork() == 0:\n    for _ in range(50):\n        try: resource.prlimit(1, resource.RLIMIT_NOFILE, (3, 3)); print('REACHED', flush=True)\n        except OSError: time.sleep(0.001)\n    os._exit(0)\nos.wait()", "ok"),
    "priority of a process": ("import os\nfor which, who in ((0, 1), (0, os.getppid()), (1, 1), (1, 0), (2, 0), (2, 65534)):\n    try: os.setpriority(which, who, 19); print('REACHED', which, who)\n    except OSError: pass", "ok"),
    "priority by the C library": (CALL + "for which, who in ((0, 1), (1, 1), (2, 65534), (2, 0)):\n    if libc.setpriority(which, who, 19) == 0: print('REACHED')", "ok"),
    "processors of the server": ("import os\nfor pid in (1, os.getppid()):\n    try: os.sched_setaffinity(pid, {0}); print('REACHED')\n    except OSError: pass", "ok"),
    "scheduler of the server": ("import os\nfor policy in (os.SCHED_IDLE, os.SCHED_BATCH, os.SCHED_OTHER):\n    try: os.sched_setscheduler(1, policy, os.sched_param(0)); print('REACHED')\n    except OSError: pass\ntry: os.sched_setparam(1, os.sched_param(0)); print('REACHED')\nexcept OSError: pass", "ok"),
    "scheduler by attributes": (CALLS + "import struct\nattributes = ctypes.create_string_buffer(struct.pack('IIQiIQQQ', 48, 5, 0, 19, 0, 0, 0, 0), 48)\nreach('sched_setattr', 314, 274, 1, attributes, 0)", "ok"),
    "priority of input and output": (CALLS + "for which, who in ((1, 1), (2, 1), (2, 0), (3, 65534), (3, 0)): reach(f'ioprio {which}', 251, 30, which, who, 3 << 13)", "ok"),
    "every signal to the server": ("import os\nfor number in range(1, 65):\n    for pid in (1, os.getppid()): os.kill(pid, number)\nprint(1)", "ok"),
    "signals by other calls": (CALLS + "for number in (9, 15, 19, 11, 2, 34):\n    call(234, 1, 1, number); call(200, 1, number)\n    call(129, 1, number, z); call(297, 1, 1, number, z)\nfd = call(434, 1, 0)\nif fd >= 0: [call(424, fd, number, None, 0) for number in (9, 19, 15)]", "ok"),
    "signals of a file's owner": ("import fcntl, os\nr, w = os.pipe()\nfcntl.fcntl(r, fcntl.F_SETOWN, 1); fcntl.fcntl(r, 10, 9)\nfcntl.fcntl(r, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)\nos.write(w, b'x')", "ok"),
    "tracing": (CALLS + "for request in (16, 0x4206, 12, 1): reach('ptrace', 101, 117, request, 1, z, z)\nreach('me', 101, 117, 0, 0, 0, 0)", "ok"),
    "memory of others": (CALLS + "vector = (ctypes.c_void_p * 2)(ctypes.addressof(z), 8)\nreach('readv', 310, 270, 1, vector, 1, vector, 1, 0); reach('writev', 311, 271, 1, vector, 1, vector, 1, 0)\nreach('madvise', 440, 440, call(434, 1, 0), vector, 1, 21, 0); reach('release', 448, 448, call(434, 1, 0), 0)\nreach('move_pages', 279, 239, 1, 0, None, None, None, 0); reach('migrate_pages', 256, 238, 1, 1, z, z)", "ok"),
    "files of the server in /proc": ("import glob, os\nfor name in ('mem', 'oom_score_adj', 'oom_adj', 'autogroup', 'timerslack_ns', 'coredump_filter', 'clear_refs', 'comm', 'sched', 'loginuid', 'uid_map', 'gid_map', 'setgroups', 'attr/current', 'fd/0', 'fd/1', 'fd/2', 'task/1/comm'):\n    try:\n        with open(f'/proc/1/{name}', 'w') as file: file.write('1')\n        print('REACHED', name)\n    except OSError: pass", "ok"),
    "settings of the kernel": ("import os\nn = 0\nfor folder, _, names in [*os.walk('/proc/sys'), *((f, 0, n) for f, _, n in os.walk('/proc/1/net')), ('/proc', 0, [n for n in os.listdir('/proc') if os.path.isfile('/proc/' + n) and n != 'kmsg'])]:\n    for name in names:\n        try:\n            fd = os.open(f'{folder}/{name}', os.O_RDWR); value = os.read(fd, 999); os.pwrite(fd, value, 0); n += 1; print('REACHED', folder, name)\n        except OSError: pass", "ok"),
    "control groups": ("import os\nfor path in ('/sys/fs/cgroup', '/proc/1/cgroup'):\n    try: open(f'{path}/cgroup.procs', 'w').write('1'); print('REACHED')\n    except OSError: pass\ntry: os.mkdir('/sys/fs/cgroup/x'); print('REACHED')\nexcept OSError: pass", "ok"),
    "a sibling of the program": (CALLS + "child = call(56, 0x8011, 0, 0, 0, 0)\nif child == 0: os._exit(0)\nif child > 0: print('REACHED')", "ok"),
    "core scheduling": (CALL + "for command in (1, 2):\n    if libc.prctl(62, command, 1, 0, 0) == 0: print('REACHED')", "ok"),
}  # fmt: skip

KERNEL = {
    "namespaces, each": (CALLS + "for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000, 0x80):\n    reach(f'unshare {flag:x}', 272, 97, flag)\n    if flag != 0x80:\n        pid = call(56, flag | 17, 0, 0, 0, 0)\n        if pid == 0: os._exit(0)\n        if pid > 0: print('REACHED clone')", "ok"),
    "another's namespaces": (CALLS + "for name in os.listdir('/proc/self/ns'):\n    reach(name, 308, 268, os.open(f'/proc/self/ns/{name}', os.O_RDONLY), 0)", "ok"),
    "clone3": (CALLS + "reach('clone3', 435, 435, z, 88)", "ok"),
    "mounts, old and new": (CALLS + "reach('mount', 165, 40, b'x', b'/tmp', b'tmpfs', 0, 0); reach('remount', 165, 40, b'x', b'/', b'', 32, 0); reach('umount', 166, 39, b'/tmp', 2)\nfor number in (428, 429, 430, 431, 432, 433, 442, 457, 458, 467): reach(number, number, number, -100, b'/tmp', 0, 0, 0)", "ok"),
    "calls that are newer than the filter": (CALLS + "for number in (*range(457, 475), 500, 1000): reach(number, number, number, 0, 0, 0, 0, 0, 0)", "ok"),
    "keys": (CALLS + "reach('add', 248, 217, b'user', b'x', b'y', 1, -3); reach('join', 250, 219, 1, b'x'); reach('request', 249, 218, b'user', b'x', None, -3)", "ok"),
    "System V memory, semaphores, messages": (CALLS + "reach('shm', 29, 194, 7, 4096, 0o1666); reach('sem', 64, 190, 7, 1, 0o1666); reach('msg', 68, 186, 7, 0o1666); reach('mq', 240, 180, b'x', 66, 0o666, None)", "ok"),
    "io_uring, userfaultfd, BPF, perf": (CALLS + "reach('uring', 425, 425, 8, z); reach('fault', 323, 282, 1); reach('bpf', 321, 280, 0, z, 64); reach('perf', 298, 241, z, 0, -1, -1, 0); reach('aio', 206, 0, 99, z)", "ok"),
    "watches of files": (CALLS + "reach('inotify', 253, None); reach('inotify1', 294, 26, 0); reach('fanotify', 300, 262, 0, 0)", "ok"),
    "a clock and a name": (CALLS + "reach('settime', 227, 112, 0, z); reach('settimeofday', 164, 170, z, 0); reach('adjtimex', 159, 171, (ctypes.c_int * 52)(1)); reach('host', 170, 161, b'x', 1); reach('domain', 171, 162, b'x', 1)", "ok"),
    "anonymous files": (CALLS + "reach('memfd', 319, 279, b'x', 0); reach('secret', 447, 447, 0)", "ok"),
    "huge pages": ("import mmap\ntry: mmap.mmap(-1, 2 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000); print('REACHED')\nexcept OSError: pass", "ok"),
    "words typed into a terminal": ("import fcntl, os, pty\nm, s = pty.openpty()\ntry: fcntl.ioctl(s, 0x5412, b'x'); print('REACHED')\nexcept OSError: pass\ntry: os.open('/dev/tty', os.O_RDWR); print('REACHED')\nexcept OSError: pass", "ok"),
    "no network": ("import socket\nfor family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET, socket.AF_VSOCK, socket.AF_ALG, socket.AF_CAN):\n    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):\n        try: socket.socket(family, kind); print('REACHED', family, kind)\n        except OSError: pass", "ok"),
    "a raised limit on memory locks": (CALL + "import mmap\nm = mmap.mmap(-1, 1 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\nif libc.mlockall(3) == 0 or libc.mlock(ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(m))), 1 << 20) == 0: print('REACHED')", "ok"),
    "real time": ("import os\nfor policy in (os.SCHED_FIFO, os.SCHED_RR):\n    try: os.sched_setscheduler(0, policy, os.sched_param(1)); print('REACHED')\n    except OSError: pass\ntry: os.nice(-1); print('REACHED')\nexcept OSError: pass", "ok"),
    "pages of the machine's files": ("import glob, os\nfor path in glob.glob(os.path.dirname(os.__file__) + '/*.py')[:20]:\n    fd = os.open(path, os.O_RDONLY)\n    try: os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED); print('REACHED')\n    except OSError: pass\nos.sync()", "ok"),
    "pages of the machine's files, mapped": ("import mmap, os\nfile = open(os.__file__, 'rb')\nm = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)\nfor advice in (12, 14, 20, 21, 25, 100, 101):\n    try: m.madvise(advice); print('REACHED', advice)\n    except OSError: pass\nm.madvise(mmap.MADV_WILLNEED); m.madvise(mmap.MADV_DONTNEED); print(len(m[:]))", "ok"),
    "locks on the machine's files": (CALLS + "import fcntl, struct\nfor path in (os.__file__, sys.executable, '/dev/null', '/proc/version', '/', '/tmp'):\n    file = os.open(path, os.O_RDONLY)\n    for kind in (1, 2, 5, 6): reach(f'flock {path}', 73, 32, file, kind)\n    for command in (6, 7, 37, 38):\n        try: fcntl.fcntl(file, command, struct.pack('hhqqi4x', 0, 0, 0, 0, 0)); print('REACHED', path, command)\n        except OSError: pass\n    for command in (1024, 1026, 1036, 1038):\n        try: fcntl.fcntl(file, command, struct.pack('q', 2) if command > 1030 else 1); print('REACHED', path, command)\n        except OSError: pass", "ok"),
    "keys and pages by other calls": (CALLS + "file = os.open(os.__file__, os.O_RDONLY)\nreach('readahead', 187, 213, file, 0, 4096)\nfor request in (0xC0506617, 0xC0406618): reach('key', 16, 29, file, request, z)\nreach('mbind', 237, 235, id(7) & ~4095, 4096, 0, None, 0, 2)", "ok"),
}  # fmt: skip

OWN = {
    "its own limits, priority, processors, masks": ("import os, resource, signal\nfor name in ('NOFILE', 'DATA', 'FSIZE', 'NPROC'): resource.setrlimit(getattr(resource, 'RLIMIT_' + name), (9, 9))\nos.nice(19); os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); os.umask(0o777); signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64)); os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))", "ok"),
    "no more processes": ("import resource\nresource.setrlimit(resource.RLIMIT_NPROC, (0, 0)); resource.setrlimit(resource.RLIMIT_AS, (1 << 28, 1 << 28))", "ok"),
    "it will be killed first": ("open('/proc/self/oom_score_adj', 'w').write('1000'); open('/proc/self/timerslack_ns', 'w').write('1'); print(1)", "ok"),
    "ignored and handled signals": ("import signal\nfor number in range(1, 65):\n    try: signal.signal(number, lambda *_: None if number % 2 else signal.SIG_IGN)\n    except (OSError, ValueError): pass", "ok"),
    "alarms and timers that outlive it": (CALLS + "import signal\nsignal.setitimer(signal.ITIMER_REAL, 0.2, 0.01)\nfor _ in range(200): call(222, 0, None, z)\nif os.fork() == 0:\n    os.setsid(); signal.alarm(1); os._exit(0)", "ok"),
    "queued signals without end": (CALL + "signal.pthread_sigmask(signal.SIG_BLOCK, [40])\nn = 0\nwhile n < 5000 and libc.sigqueue(os.getpid(), 40, None) == 0: n += 1\nprint('REACHED' if n >= 5000 else n)", "ok"),
    "not to be looked into": (CALL + "libc.prctl(4, 0, 0, 0, 0); libc.prctl(36, 1, 0, 0, 0); libc.prctl(1, 9, 0, 0, 0)", "ok"),
    "a core file and a core pattern": ("import os, resource\nfor limit in ((0, 0), (-1, -1), (1 << 30, 1 << 30)):\n    try: resource.setrlimit(resource.RLIMIT_CORE, limit)\n    except (OSError, ValueError): pass\nos.abort()", "killed"),
    "streams closed, reopened, not blocking": ("import fcntl, os, sys\nfor fd in (0, 1, 2): fcntl.fcntl(fd, fcntl.F_SETFL, os.O_NONBLOCK)\nos.dup2(2, 1); os.close(0); os.close(1); os.close(2)\nfor fd in range(3, 64):\n    try: os.dup2(os.open('/dev/null', os.O_RDWR), fd)\n    except OSError: break", "ok"),
    "copies over every descriptor": ("import os\nr, w = os.pipe()\nfor fd in range(64):\n    try: os.dup2(w, fd)\n    except OSError: pass\nfor fd in range(64): os.write(fd, b'{\"status\": \"ok\", \"stdout\": \"forged\", \"stderr\": \"\", \"is_whole\": true}\\n')", "ok error"),
    "a huge pipe": ("import fcntl, os\nfor _ in range(20):\n    r, w = os.pipe()\n    try: fcntl.fcntl(w, 1031, 1 << 20); print('REACHED')\n    except OSError: pass", "ok"),
    "built-in names": ("import builtins\nfor name in ('isinstance', 'len', 'print', 'open', 'int', 'str', 'type', 'getattr', 'repr', 'BaseException', 'MemoryError', '__import__'): setattr(builtins, name, None)", "ok"),
    "modules": ("import sys, types\nfor name in list(sys.modules): sys.modules[name] = types.ModuleType(name)", "ok"),
    "what ends it": ("import atexit, os, sys, threading\nos._exit = lambda code: None; os.write = lambda *a: 0; atexit._run_exitfuncs = threading._shutdown = sys.exit = None", "ok"),
    "hooks": ("import sys, threading, gc\nsys.addaudithook(lambda *a: None); sys.excepthook = sys.unraisablehook = threading.excepthook = None\ngc.disable(); gc.callbacks.append(lambda *a: 1 / 0); gc.set_threshold(1); sys.setswitchinterval(9)\nsys.setprofile(lambda *a: None); sys.settrace(lambda *a: None)", "ok"),
    "state of numbers": ("import decimal, locale, random, numpy, sympy, mpmath, warnings\nrandom.seed(1); numpy.random.seed(1); numpy.set_printoptions(precision=1); numpy.seterr(all='raise'); decimal.getcontext().prec = 2; decimal.DefaultContext.prec = 2\nlocale.setlocale(locale.LC_ALL, 'C'); warnings.simplefilter('error'); mpmath.mp.dps = 3; sympy.core.cache.clear_cache(); sympy.Integer.__add__ = sympy.Integer.__sub__; sympy.S.One.p = 7", "ok error"),
    "small numbers in memory": ("import ctypes\nctypes.memmove(id(7) + 24, id(8) + 24, 4)", "ok error killed"),
    "limits of the interpreter": ("import sys\nsys.setrecursionlimit(50); sys.set_int_max_str_digits(0); sys.path[:] = ['/tmp']; sys.dont_write_bytecode = False; sys.flags", "ok"),
    "the environment": ("import os, time\nos.environ.clear(); os.environ['TZ'] = 'Asia/Tokyo'; time.tzset(); os.environ['PYTHONPATH'] = '/tmp'; os.chdir('/')", "ok"),
    "exit functions that fail": ("import atexit\natexit.register(lambda: 1 / 0)\nprint(1)", "ok error"),
}  # fmt: skip

FILES = {
    "a folder that nobody may write to": ("import os\nos.chmod('/tmp', 0o500); os.chmod('/dev/shm', 0); os.utime('/tmp', (5, 5))", "ok"),
    "attributes of a folder": (CALL + "for path in ('/tmp', '/dev/shm'):\n    for name in ('user.x', 'system.posix_acl_default', 'trusted.x'):\n        try: os.setxattr(path, name, b'\\2\\0\\0\\0'); print('REACHED')\n        except OSError: pass\nimport fcntl\nfor request in (0x40086602, 0x401c5820):\n    try: fcntl.ioctl(os.open('/tmp', os.O_RDONLY), request, b'\\x40' + bytes(31)); print('REACHED')\n    except OSError: pass", "ok"),
    "a deep folder": ("import os\nfor _ in range(3000):\n    os.mkdir('d' * 200); os.chdir('d' * 200)\nopen('f', 'w').close()\nfor _ in range(10): os.chmod('.', 0); os.chdir('/tmp'); break", "ok error"),
    "deep folders that nobody may enter": ("import os\nfor i in range(50):\n    os.makedirs(f'a{i}/b/c/d'); open(f'a{i}/b/f', 'w').close()\n    for path in (f'a{i}/b/c', f'a{i}/b', f'a{i}'): os.chmod(path, 0)", "ok"),
    "names of every byte": ("import os\nfor n in range(1, 256):\n    if n != 47: open(b'/tmp/' + bytes([n]) * 255, 'w').close()", "ok"),
    "names as the cleaning gives them": ("import os\nfor i in range(300): os.makedirs(f'/tmp/.{i:016x}/x/y')\nos.mkdir('/tmp/-rf'); os.mkdir('/tmp/*')", "ok"),
    "holes and full disks": ("import os\nfor i in range(6):\n    with open(f'/tmp/s{i}', 'wb') as file: file.truncate(8 << 20)\ntry:\n    for i in range(9): open(f'/tmp/f{i}', 'wb').write(bytes(4 << 20))\nexcept OSError: print('full')\ntry: open('/dev/shm/f', 'wb').write(bytes(4 << 20)); print('REACHED')\nexcept OSError: pass", "ok"),
    "pipes, sockets, links, devices": ("import os, socket, stat\nos.mkfifo('/tmp/fifo'); os.mkfifo('/dev/shm/fifo'); s = socket.socket(socket.AF_UNIX); s.bind('/tmp/socket'); s.listen()\nos.symlink('/tmp', '/tmp/loop'); os.symlink('/usr', '/tmp/usr'); os.symlink('a', '/tmp/b'); os.symlink('b', '/tmp/a')\ntry: os.mknod('/tmp/null', stat.S_IFCHR | 0o666, os.makedev(1, 3)); print('REACHED')\nexcept OSError: pass", "ok"),
    "an abstract socket": ("import os, socket, time\ns = socket.socket(socket.AF_UNIX); s.bind('\\0here'); s.listen()\nif os.fork() == 0: os.setsid(); time.sleep(60)", "ok"),
    "locks and mapped files that a daemon holds": ("import fcntl, mmap, os, time\nf = open('/tmp/lock', 'wb+'); f.truncate(4096); m = mmap.mmap(f.fileno(), 4096)\ntry: fcntl.flock(f, fcntl.LOCK_EX); print('REACHED')\nexcept OSError: pass\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(60)\n    os._exit(0)", "ok"),
    "modules and settings that others would read": ("import os\nfor name in ('sympy.py', 'numpy.py', 'random.py', 'sitecustomize.py', 'pyvenv.cfg', 'program.py', '__main__.py'): open(f'/tmp/{name}', 'w').write('raise SystemExit(9)')\nos.makedirs('/tmp/.local/lib/python3.11/site-packages'); open('/tmp/.local/lib/python3.11/site-packages/x.pth', 'w').write('import os; os._exit(9)')", "ok"),
    "a folder that is moved while it is emptied": ("import os\nif os.fork() == 0:\n    os.setsid()\n    while True:\n        try: os.makedirs('/tmp/a/b'); os.rename('/tmp/a', '/tmp/c'); os.removedirs('/tmp/c/b')\n        except OSError: pass", "ok"),
    "libraries and devices": ("import glob, os\nfor path in [os.__file__, os.__file__ + 'c', '/dev/null', '/dev/zero', '/usr', '/', '/sandbox', '/sandbox/stages/execution/zygote.py', *glob.glob('/dev/*')]:\n    for change in (lambda: os.chmod(path, 0), lambda: os.utime(path, (0, 0)), lambda: os.rename(path, path + '~'), lambda: os.truncate(path, 0), lambda: os.chown(path, 65534, 65534)):\n        try: change()\n        except OSError: continue\n        if not os.path.realpath(path).startswith(('/dev/shm', '/dev/fd', '/proc/', '/dev/pts', '/dev/null', '/dev/zero', '/dev/full', '/dev/tty', '/dev/random', '/dev/urandom')): print('REACHED', path)", "ok"),
}  # fmt: skip

FLOODS = {
    "vfork and clone without end": (CALL + "while True:\n    if libc.vfork() == 0: libc._exit(0)", "timeout killed memory"),
    "families that grow while they are killed": ("import os\nwhile True:\n    try:\n        if os.fork() == 0: os.setsid()\n    except OSError: pass", "timeout killed memory error"),
    "threads without end": ("import threading, time\nwhile True:\n    try: threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n    except RuntimeError: pass", "timeout memory error"),
    "children that no one waits for": ("import os, signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\nwhile True:\n    try:\n        if os.fork() == 0: sum(range(10 ** 6)); os._exit(0)\n    except OSError: pass", "timeout"),
    "shared memory of a family": ("import mmap, os, time\nfor _ in range(3):\n    if os.fork() == 0:\n        m = mmap.mmap(-1, 600 << 20); time.sleep(60)\ntime.sleep(60)", "memory"),
    "shared memory in one mapping each, inherited": ("import mmap, os, time\nkept = []\nfor _ in range(3):\n    kept.append(mmap.mmap(-1, 400 << 20) if len(kept) < 2 else None)\n    if os.fork() == 0: kept = [mmap.mmap(-1, 400 << 20)]; time.sleep(60)\ntime.sleep(60)", "memory killed error"),
    "files in folders, by several": ("import os\nfor _ in range(3): os.fork()\nos.mkdir(str(os.getpid())); os.chdir(str(os.getpid()))\ni = 0\nwhile True: os.symlink('x', str(i)); i += 1", "memory timeout"),
    "links to one file": ("import os\nopen('f', 'w').close()\ni = 0\nwhile True: os.link('f', str(i)); i += 1", "memory timeout"),
    "folders in folders": ("import os\nwhile True: os.mkdir('d'); os.chdir('d')", "memory timeout"),
    "output by several": ("import os\nfor _ in range(3): os.fork()\nwhile True: os.write(1, b'x' * 65536)", "output"),
    "descriptors in flight": ("import array, os, socket\na, b = socket.socketpair()\nfor _ in range(2000):\n    try: a.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [a.fileno()] * 60))], socket.MSG_DONTWAIT)\n    except OSError: break", "ok"),
}  # fmt: skip

WORDS = {
    "words of other failures": ("import sys\nsys.stderr.write('MemoryError killed timeout SIGKILL Out of memory rc=137\\n')\n1 / 0", "error"),
    "words, and success": ("import sys\nsys.stderr.write('MemoryError: x\\nTraceback (most recent call last)\\n')\nprint(1)", "ok"),
    "another's exit status": ("import sys; sys.exit(77)", "error"),
    "another's exit status, at once": ("import os; os._exit(77)", "error"),
    "a status of a signal": ("import os; os._exit(137)", "error"),
    "a signal of a limit": ("import os, signal; os.kill(os.getpid(), signal.SIGXCPU)", "killed"),
    "a child without memory": ("import os\nif os.fork() == 0: x = bytearray(3 << 30)\nos.wait(); os._exit(77)", "error"),
    "an exception with a name": ("class MemoryError(Exception): pass\nraise MemoryError('x')", "error"),
    "an exception without words": ("class E(Exception):\n    def __str__(self): raise SystemExit(0)\nraise E", "error"),
    "a built-in name in another's place": ("import builtins\nbuiltins.MemoryError = ValueError\nraise ValueError('x')", "error"),
    "an exception that ends the interpreter": ("import sys\nsys.excepthook = lambda *a: sys.exit(0)\nraise KeyboardInterrupt", "error"),
    "no memory, in truth": ("import numpy\nx = []\nwhile True: x.append(numpy.empty(300 << 20, 'u1'))", "memory"),
    "no memory for an array": ("import numpy; numpy.ones(1 << 31)", "memory"),
    "a mark of its own for memory, by frames and maps": ("import ctypes, os, sys\nframe = sys._getframe()\nwhile frame:\n    for value in list(frame.f_locals.values()):\n        if 'mmap' in type(value).__name__: value[:4] = os.getpid().to_bytes(4, 'little')\n    frame = frame.f_back\nfor line in open('/proc/self/maps'):\n    if ' rw-s' in line: ctypes.memmove(int(line.split('-')[0], 16), os.getpid().to_bytes(4, 'little'), 4)\nos._exit(77)", "error"),
    "a child's name for memory": ("import ctypes, os\nif os.fork() == 0:\n    ctypes.CDLL(None).prctl(15, b'MemoryError', 0, 0, 0); os._exit(77)\nos.wait(); os._exit(77)", "error"),
    "an answer of the protocol": ("import json\nprint(json.dumps({'status': 'memory', 'stdout': 'x', 'stderr': '', 'is_whole': False}), flush=True)\nprint('ready')", "ok"),
    "bytes that are no text": ("import os\nos.write(1, bytes(range(256)) * 4); os.write(2, b'\\xff\\xfe\\x00\\xe2\\x82')", "ok"),
}  # fmt: skip

# What a program asks of its own processes, by their numbers or by 0, or of the memory and files that are its own: it is allowed.
INNOCENT = {
    "its own limits, read by its number": ("import os, resource\nfor limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_AS): print(resource.prlimit(os.getpid(), limit) == resource.prlimit(0, limit) == resource.getrlimit(limit))", "ok"),
    "a lower limit": ("import resource\nresource.prlimit(0, resource.RLIMIT_NOFILE, (20, 20)); print(resource.getrlimit(resource.RLIMIT_NOFILE))", "ok"),
    "a database in a file": ("import sqlite3\nfor _ in range(2):\n    with sqlite3.connect('/tmp/a.db') as base:\n        base.execute('create table if not exists t(x)'); base.execute('insert into t values(3)')\nprint(base.execute('select sum(x) from t').fetchone())", "ok"),
    "shared numbers": ("from multiprocessing import Pool, Process, Value\nv = Value('i', 3)\np = Process(target=lambda: setattr(v, 'value', 5)); p.start(); p.join()\nwith Pool(2) as pool: print(v.value, pool.map(abs, [-1]))", "ok"),
    "large arrays": ("import numpy\nprint(numpy.ones(1 << 23).sum())", "ok"),
}  # fmt: skip

# Two programs, one after the other: what the first leaves, the second looks for.
FRAMES = "import sys\nkinds = ('mmap', 'memoryview', 'bytearray')\nframe = sys._getframe()\nheld = []\nwhile frame := frame.f_back: held += [*frame.f_locals.values()]\nheld += [value for one in held for value in getattr(one, '__dict__', {}).values()]\nbuffers = [one for one in held if type(one).__name__ in kinds]\n"
MARK = "'LEFT' + 'BEHIND:' + 'q' * 8"
MEMORY = """
import re
mark = re.compile(rb'LEFTBEHIND:q{4}')
with open('/proc/self/maps') as maps, open('/proc/self/mem', 'rb', 0) as memory:
    for line in [line for line in maps if ' rw' in line and '[vvar' not in line]:
        start, end = (int(part, 16) for part in line.split()[0].split('-'))
        memory.seek(start)
        if mark.search(memory.read(end - start)): print('REACHED', line)
"""
LEFT = {
    "in memory that processes share": (
        "import ctypes\nfor line in open('/proc/self/maps'):\n    if ' rw-s' in line: ctypes.memmove(int(line.split('-')[0], 16) + 100, b'MADE1', 5)",
        "for line in open('/proc/self/maps'):\n    if ' rw-s' in line: print('REACHED', line)",
    ),
    "in buffers of frames": (
        FRAMES + "for one in buffers: one[100:111] = b'LEFTBEHIND1'",
        FRAMES + "for one in buffers:\n    if b'LEFTBEHIND1' in bytes(one): print('REACHED')\n    if type(one).__name__ == 'mmap': print('REACHED')",
    ),
    "in buffers that the collector knows": (
        "import gc, mmap\nfor one in gc.get_objects():\n    if isinstance(one, mmap.mmap): one[100:105] = b'MADE1'",
        "import gc, mmap\nprint(['REACHED' for one in gc.get_objects() if isinstance(one, mmap.mmap)])",
    ),
    "in open files": (
        "import os\nfor number in range(3, 1024):\n    try: os.write(number, b'MADE1'); print('REACHED', number)\n    except OSError: pass",
        "import os\nprint(['REACHED' for number in range(3, 1024) if os.path.exists(f'/proc/self/fd/{number}')])",
    ),
    "in memory, by its source": ("x = 'LEFTBEHIND:qqqqqqqq'", MEMORY),
    "in memory, by its output": (f"import sys\nfor _ in range(9): print({MARK} * 9); print({MARK} * 9, file=sys.stderr)", MEMORY),
    "in memory, by names of processes": (
        f"import ctypes, os, threading, time\nname = ({MARK})[:15].encode()\nctypes.CDLL(None).prctl(15, name, 0, 0, 0)\nfor _ in range(5):\n    if os.fork() == 0: time.sleep(0.5); os._exit(0)\ntime.sleep(0.4)",
        MEMORY,
    ),
    "in memory, by paths of what it maps": (
        f"import mmap, os, time\nwith open('/tmp/' + {MARK}, 'wb+') as f: f.truncate(4096); m = mmap.mmap(f.fileno(), 4096); n = mmap.mmap(-1, 600 << 20)\nfor _ in range(3):\n    if os.fork() == 0: time.sleep(0.5); os._exit(0)\ntime.sleep(0.4)",
        MEMORY,
    ),
    "in memory, by its error": (f"raise ValueError({MARK} * 9)", MEMORY),
    "in memory, by names of files": (f"import os\nfor i in range(20): os.makedirs({MARK} + f'{{i}}/' + {MARK} * 9); open({MARK} + f'{{i}}/x', 'w').close()", MEMORY),
}  # fmt: skip

PROGRAMS = {**OTHERS, **KERNEL, **OWN, **INNOCENT, **FILES, **FLOODS, **WORDS}

PROBE = """
import os, resource, signal, sys
import decimal, random, numpy, sympy, time
limits = [resource.getrlimit(getattr(resource, name)) for name in sorted(dir(resource)) if name.startswith('RLIMIT_')]
print(limits, open('/proc/1/limits').read())
umask = os.umask(0); os.umask(umask)
print(umask, os.getpriority(0, 0), os.getpriority(0, 1), os.sched_getaffinity(0), os.sched_getaffinity(1), os.sched_getscheduler(0), os.sched_getscheduler(1))
print(signal.pthread_sigmask(signal.SIG_BLOCK, []), [signal.getsignal(n) for n in (1, 2, 13, 14, 15, 17)], signal.getitimer(0))
server = dict(line.partition(':')[::2] for line in open('/proc/1/status'))
print([server[name] for name in ('Umask', 'SigBlk', 'SigIgn', 'SigCgt', 'Cpus_allowed', 'TracerPid', 'NoNewPrivs')], int(server['RssAnon'].split()[0]) >> 16)
print(sorted(os.environ.items()), os.getcwd(), time.tzname, os.uname().nodename, sys.path, sys.getrecursionlimit(), sys.argv)
print([(sorted(os.listdir(path)), os.stat(path).st_mode, os.stat(path).st_mtime, os.listxattr(path)) for path in ('/tmp', '/dev/shm')])
print(sorted(p for p in os.listdir('/proc') if p.isdigit() and int(p) not in (1, os.getpid())), sorted(os.listdir('/proc/self/fd'))[:3])
print(decimal.getcontext().prec, random.random(), numpy.random.rand(), numpy.array([0.123456]), numpy.geterr(), len(sys.modules), 3 + 4)
x = sympy.symbols('x')
print(sympy.factor(x**4 - 1), sympy.diff(x * sympy.sin(x), x), sum(i * i for i in range(100_000)), 7 * 6)
with open('/tmp/probe', 'w') as file: file.write('x' * 1000)
pid = os.fork()
if pid == 0: os._exit(0)
print(os.waitpid(pid, 0)[1], len([open('/dev/null') for _ in range(40)]), numpy.empty(500 << 20, 'u1').shape)
"""
