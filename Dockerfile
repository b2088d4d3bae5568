# The GPU set (constraints-gpu.txt): vLLM, Ray, training. The CUDA libraries are in its wheels, the driver is the host's.
#
#   docker build -t ninechapters .
#   docker run --rm -it --gpus all --ipc host --security-opt seccomp=unconfined -v "$PWD":/project -w /project ninechapters dvc repro
#
# `--ipc host`: the processes of one model share memory. `seccomp=unconfined`: bubblewrap makes namespaces for model-written programs.
FROM python:3.11-slim-bookworm

# gcc and the headers: Triton compiles kernels. bubblewrap: the sandbox. git: DVC's project.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends bubblewrap g++ gcc git libc6-dev make \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /ninechapters
COPY Makefile pyproject.toml constraints.txt constraints-gpu.txt README.md LICENSE ./
COPY stages stages
RUN make setup-gpu
ENV PATH=/ninechapters/.venv/bin:$PATH PYTHONUNBUFFERED=1
CMD ["ninechapters", "--help"]
