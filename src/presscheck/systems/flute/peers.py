"""Arms that run in the environments of bitsandbytes and llama.cpp, our product beside theirs."""

from __future__ import annotations

import ctypes
import functools
import importlib
import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .measures import Contender, interleaved, ours, ratio
from .tables import nf
from .tensor import LUTTensor

Rows = Iterator[tuple[str, float, str]]


def bitsandbytes(seed: int, *, N: int, K: int, iterations: int, cold_bytes: int) -> Rows:
    """Its NF4 kernel for the CPU and ours, 64 columns a scale, on cold weights.

    Yields:
        ``speedup_m1`` and ``speedup_m4`` (its seconds over ours), ``seconds_m1``, ``seconds_m4`` (its),
        ``nf4_difference``: the largest difference of its weights from ours, in units of the largest weight.

    Raises:
        RuntimeError: if its fused kernel does not run here.
    """
    functional: Any = importlib.import_module("bitsandbytes.functional")
    if not functional.has_avx512bf16():
        raise RuntimeError("bitsandbytes has no fused 4-bit kernel for this processor")
    weight = torch.randn(N, K, generator=torch.Generator().manual_seed(seed)) / K**0.5
    packed, state = functional.quantize_4bit(weight.bfloat16(), blocksize=64, quant_type="nf4")
    theirs = functional.dequantize_4bit(packed, state).float()
    mine = LUTTensor.quantize(weight.bfloat16(), nf(4), 64)
    yield "nf4_difference", ((theirs - mine.dequantize()).abs().max() / weight.abs().max()).item(), "1"
    packed, state = functional._convert_weight_packed_for_cpu(packed, state)
    nbytes = packed.nbytes + state.absmax.nbytes
    copies = copies_for(cold_bytes, nbytes + mine.nbytes)
    matmul: Any = importlib.import_module("bitsandbytes").matmul_4bit
    calls = [functools.partial(matmul, B=packed.clone(), quant_state=state) for _ in range(copies)]
    with torch.inference_mode():
        yield from _timed(seed, K, iterations, ours(mine, copies), Contender(nbytes, calls))


def copies_for(cold_bytes: int, nbytes: int) -> int:
    """How many copies of a set of weights are cold together."""
    return max(2, -(-cold_bytes // nbytes))


def _timed(seed: int, K: int, iterations: int, mine: Contender, theirs: Contender) -> Rows:
    draw = torch.Generator().manual_seed(seed)
    for M in (1, 4):
        x = torch.randn(M, K, generator=draw).bfloat16()
        expected, found = (one.copies[0](x).float() for one in (mine, theirs))
        off = ((found - expected).norm() / expected.norm()).item()
        if not off < 0.03:
            raise RuntimeError(f"the peer's product is off by {off:.3g}: its times would mean nothing")
        seconds = interleaved({"ours": mine, "theirs": theirs}, x, iterations, seed)
        yield f"speedup_m{M}", ratio(seconds["theirs"], seconds["ours"]), "1"
        yield f"seconds_m{M}", statistics.median(seconds["theirs"]), "s"
        yield f"ours_seconds_m{M}", statistics.median(seconds["ours"]), "s"


# llama.cpp -------------------------------------------------------------------------

F32, IQ4_NL = 0, 20
IQ4_NL_VALUES = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)


class _InitParams(ctypes.Structure):
    _fields_ = [("mem_size", ctypes.c_size_t), ("mem_buffer", ctypes.c_void_p), ("no_alloc", ctypes.c_bool)]


class _Ggml:
    """What of ggml, the library under llama.cpp, one product needs."""

    def __init__(self) -> None:
        package = importlib.import_module("xllamacpp")
        objects = sorted(Path(str(package.__file__)).parent.glob("xllamacpp*.so"))
        if not objects:
            raise RuntimeError("xllamacpp has no library with ggml in it")
        library = ctypes.CDLL(str(objects[0]))
        pointer, number, size = ctypes.c_void_p, ctypes.c_int64, ctypes.c_size_t

        def function(name: str, answer: Any, *given: Any) -> Any:
            found = getattr(library, name)
            found.restype, found.argtypes = answer, list(given)
            return found

        self.init = function("ggml_init", pointer, _InitParams)
        self.tensor = function("ggml_new_tensor_2d", pointer, pointer, ctypes.c_int, number, number)
        self.mul_mat = function("ggml_mul_mat", pointer, pointer, pointer, pointer)
        self.graph = function("ggml_new_graph", pointer, pointer)
        self.forward = function("ggml_build_forward_expand", None, pointer, pointer)
        self.backend = function("ggml_backend_cpu_init", pointer)()
        self.threads = function("ggml_backend_cpu_set_n_threads", None, pointer, ctypes.c_int)
        self.plain = function("ggml_backend_cpu_buffer_type", pointer)()
        self.allocate = function("ggml_backend_alloc_ctx_tensors_from_buft", pointer, pointer, pointer)
        self.set = function("ggml_backend_tensor_set", None, pointer, pointer, size, size)
        self.get = function("ggml_backend_tensor_get", None, pointer, pointer, size, size)
        self.compute = function("ggml_backend_graph_compute", ctypes.c_int, pointer, pointer)
        self.quantize = function(
            "ggml_quantize_chunk", size, ctypes.c_int, pointer, pointer, number, number, number, pointer
        )
        try:  # the layout that llama.cpp itself puts weights into where the processor gains by it
            self.repacked = function("_Z35ggml_backend_cpu_repack_buffer_typev", pointer)()
        except AttributeError:
            self.repacked = None

    def context(self) -> Any:
        return self.init(_InitParams(1 << 20, None, True))


class _Product:
    """One weight of llama.cpp's, with a graph for each number of activations."""

    def __init__(self, ggml: _Ggml, data: Tensor, N: int, K: int, threads: int) -> None:
        self.ggml, self.N, self.K, self.threads = ggml, N, K, threads
        context = ggml.context()
        self.weight = ggml.tensor(context, IQ4_NL, K, N)
        if not ggml.allocate(context, ggml.repacked or ggml.plain):
            raise RuntimeError("ggml cannot allocate a weight")
        ggml.set(self.weight, data.data_ptr(), 0, data.nbytes)
        self.graphs: dict[int, tuple[Any, Any, Any, Any]] = {}

    def _graph(self, M: int) -> tuple[Any, Any, Any, Any]:
        if M not in self.graphs:
            context = self.ggml.context()
            x = self.ggml.tensor(context, F32, self.K, M)
            out = self.ggml.mul_mat(context, self.weight, x)
            graph = self.ggml.graph(context)
            self.ggml.forward(graph, out)
            self.ggml.allocate(context, self.ggml.plain)
            self.graphs[M] = (context, x, out, graph)
        return self.graphs[M]

    def __call__(self, x: Tensor) -> Tensor:
        """(M, K) to (M, N) float32; copying x in and the result out takes microseconds."""
        _, place, out, graph = self._graph(len(x))
        single = x.float().contiguous()
        self.ggml.set(place, single.data_ptr(), 0, single.nbytes)
        self.ggml.threads(self.ggml.backend, self.threads)
        if self.ggml.compute(self.ggml.backend, graph):
            raise RuntimeError("ggml could not compute the product")
        found = torch.empty(len(x), self.N)
        self.ggml.get(out, found.data_ptr(), 0, found.nbytes)
        return found


def llama_cpp(seed: int, *, N: int, K: int, iterations: int, cold_bytes: int) -> Rows:
    """Ggml's product with an IQ4_NL weight and ours with the same values, 32 columns a scale, cold.

    IQ4_NL is a table of 16 as well, of 8-bit values; llama.cpp rounds the activations to 8 bits for it.

    Yields:
        ``speedup_m1``, ``speedup_m4`` (its seconds over ours), ``seconds_m1``, ``seconds_m4`` (its).
    """
    ggml = _Ggml()
    weight = torch.randn(N, K, generator=torch.Generator().manual_seed(seed)) / K**0.5
    data = torch.empty(N * K // 32 * 18, dtype=torch.uint8)
    ggml.quantize(IQ4_NL, weight.data_ptr(), data.data_ptr(), 0, N, K, None)
    blocks = data.view(N, K // 32, 18)
    scales = blocks[:, :, :2].contiguous().view(torch.float16)[:, :, 0].float() * 127
    codes = torch.cat([blocks[:, :, 2:] & 15, blocks[:, :, 2:] >> 4], 2).flatten(1)
    mine = LUTTensor.from_codes(codes, torch.tensor(IQ4_NL_VALUES) / 127, scales)
    copies = copies_for(cold_bytes, data.nbytes + mine.nbytes)
    theirs = Contender(
        data.nbytes, [_Product(ggml, data, N, K, torch.get_num_threads()) for _ in range(copies)]
    )
    yield from _timed(seed, K, iterations, ours(mine, copies), theirs)


def llama_cpp_decode(seed: int, *, tokens: int) -> Rows:
    """Decoding of the packaged SmolLM2 file by llama.cpp: 4 bits, affine, 32 columns a scale.

    Yields:
        ``tokens_per_s``, as llama.cpp counts them itself.
    """
    from presscheck.testbeds.language import prose, shipped_file

    server = _server(str(shipped_file()))
    start = 997 * seed % (len(prose()) - 2000)
    asked = {
        "prompt": prose()[start : start + 600], "n_predict": tokens, "temperature": 0.0, "ignore_eos": True,
        "cache_prompt": False,
    }  # fmt: skip
    answer: Any = server.handle_completions(asked)
    answer = json.loads(answer) if isinstance(answer, (str, bytes)) else answer
    yield "tokens_per_s", float(answer["timings"]["predicted_per_second"]), "1/s"


@functools.cache
def _server(path: str) -> Any:
    xllamacpp: Any = importlib.import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = path
    params.n_ctx, params.n_parallel, params.port = 1024, 1, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = torch.get_num_threads()
    params.verbosity, params.warmup = -1, False
    params.hostnames = ["127.0.0.1"]
    return xllamacpp.Server(params)
