import os

# OpenMP's threads spin for milliseconds before they sleep (libgomp: 300,000 turns). Beside another busy process they spin
# on the CPU that the others wait for, and training falls to a tenth of its rate; bench/shared_machine.py measures it. It is
# set here because this file comes before torch in every process, and torch's libgomp reads it as it is loaded.
if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():  # what the user has set stays
    os.environ["GOMP_SPINCOUNT"] = "700"
# On Hopper, PyTorch prefers cuDNN's attention, which first makes a plan for each length of an example that it has not met, and our
# examples have all lengths. This puts it behind the other kernels (docs/gpus.md has the measurement).
os.environ.setdefault("TORCH_CUDNN_SDPA_DEPRIORITIZED", "1")
# bm25s starts JAX as it is imported, where JAX is installed, and JAX then takes three quarters of a GPU's memory.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
