"""A GPU for machines that have none: tensors in the CPU's memory that call themselves cuda:0 and will not be mixed.

    with pretend_gpu.on():                       # `start()` for a whole process
        x = torch.rand(4, 3, device="cuda")      # x.device is cuda:0, x.is_cuda is True
        x + torch.rand(4, 3)                     # RuntimeError, as on a GPU
        x.numpy()                                # TypeError, as on a GPU

`torch.cuda.is_available()` is True meanwhile, so that the course's code takes the road it takes on a GPU. It finds a
tensor made without `device=`, a `.cpu()` forgotten before NumPy or SciPy, a generator of the wrong device. It does not
find what other kernels, other rounding and asynchronous errors do. As on a GPU, CPU tensors without dimensions may be
mixed in and CPU tensors may be indices. Code must say `torch.func.vmap` and the like; a name imported from torch.func
before the start stays blind.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors
from torch.utils._pytree import tree_leaves, tree_map

from tools import pretend_func

Function = Callable[..., Any]

GPU = torch.device("cuda", 0)
LOOKS = {
    getattr(Tensor, name).__get__: value for name, value in (("device", GPU), ("is_cuda", True), ("is_cpu", False))
}
TO_NUMPY = (Tensor.numpy, Tensor.__array__)
MOVES = (Tensor.to, Tensor.cuda, Tensor.cpu)
TO_PYTHON = (Tensor.tolist, Tensor.item, Tensor.__bool__, Tensor.__float__, Tensor.__int__, Tensor.__index__)
INDEXING = (Tensor.__getitem__, Tensor.__setitem__)
MAY_MIX = (*INDEXING, Tensor.copy_, torch.autograd.grad, torch.autograd.backward, Tensor.backward)
CONSTRUCTORS = _device_constructors() - {torch.asarray, torch.from_file}
TWO_DEVICES = "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu! (in {})"
NO_NUMPY = "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory first."
WRONG_INDEX = "indices should be either on cpu or on the same device as the indexed tensor (cpu)"
WRONG_GENERATOR = "Expected a '{}' device type for generator but found '{}'"


class OnGpu(Tensor):
    """A tensor that says that it is on the GPU."""

    def __repr__(self) -> str:  # type: ignore[override]
        return repr(_off(self))

    def __format__(self, spec: str) -> str:
        return format(_off(self), spec)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if id(self) not in memo:
            memo[id(self)] = _on(_off(self).clone()).requires_grad_(self.requires_grad)
        return memo[id(self)]

    @classmethod
    def __torch_function__(cls, func: Function, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _call(func, args, kwargs or {})


class _Mode(TorchFunctionMode):
    """Sees the calls that no tensor of the GPU takes part in: torch.rand(3, device="cuda")."""

    def __torch_function__(self, func: Function, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _call(func, args, kwargs or {})


def _is_gpu(device: Any) -> bool:
    return device is not None and torch.device(device).type == "cuda"


def _on(value: Any) -> Any:
    """The same value, a tensor of the GPU if it is a tensor."""
    if not isinstance(value, Tensor) or isinstance(value, OnGpu):
        return value
    with torch._C.DisableTorchFunction():
        return value.as_subclass(OnGpu)


def _off(value: Any) -> Any:
    if not isinstance(value, OnGpu):
        return value
    with torch._C.DisableTorchFunction():
        return value.detach().as_subclass(Tensor)


def _call(func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A function of torch, as a machine with a GPU would do it."""
    first = args[0] if args else None
    if func in LOOKS and isinstance(first, OnGpu):
        return LOOKS[func]
    if func in TO_NUMPY and isinstance(first, OnGpu):
        raise TypeError(NO_NUMPY)
    if getattr(func, "__name__", "") == "_has_compatible_shallow_copy_type":  # Module.to then makes new parameters
        return not any(isinstance(a, OnGpu) for a in args)
    if func in MOVES:
        return _moved(func, args, kwargs)
    where = kwargs.get("device")
    if where is None and func in CONSTRUCTORS and _called_from_home():
        return _made(func, args, kwargs)
    tensors = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
    on_gpu = any(isinstance(t, OnGpu) for t in tensors) if where is None else _is_gpu(where)
    _refuse_mixed(func, args, tensors)
    _refuse_generator(kwargs.get("generator"), on_gpu)
    if _is_gpu(where) or (on_gpu and kwargs.get("requires_grad")):  # new_tensor and the like make leaves, too
        return _made(func, args, {**kwargs, "device": "cpu"})
    with torch._C.DisableTorchFunction():
        result = func(*args, **kwargs)
    if func in TO_PYTHON or func is Tensor.copy_ or not on_gpu:
        return result
    return tree_map(_on, result)


def _made(func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A new tensor of the GPU; a leaf, if it requires a gradient."""
    leaf = kwargs.get("requires_grad", False)
    with torch._C.DisableTorchFunction():
        result = tree_map(_on, func(*args, **{k: v for k, v in kwargs.items() if k != "requires_grad"}))
        return result.requires_grad_() if leaf else result


_home: list[str] = []


def _called_from_home() -> bool:
    """Whether torch is called from a file of the folders that live on the GPU."""
    frame = sys._getframe(1) if _home else None
    while frame is not None and frame.f_code.co_filename.startswith(_ELSEWHERE):
        frame = frame.f_back
    return frame is not None and frame.f_code.co_filename.startswith(tuple(_home))


def _refuse_mixed(func: Function, args: tuple[Any, ...], tensors: list[Tensor]) -> None:
    if torch._C._functorch.peek_interpreter_stack() is not None:
        return  # torch.func's wrappers hide what is on the GPU
    if func in INDEXING and not isinstance(args[0], OnGpu) and any(isinstance(i, OnGpu) for i in tree_leaves(args[1])):
        raise RuntimeError(WRONG_INDEX)
    if func not in MAY_MIX and any(isinstance(t, OnGpu) for t in tensors):
        if any(not isinstance(t, OnGpu) and t.dim() > 0 for t in tensors):
            raise RuntimeError(TWO_DEVICES.format(getattr(func, "__name__", func)))


def _refuse_generator(generator: Any, on_gpu: bool) -> None:
    if generator is not None and isinstance(generator, GpuGenerator) != on_gpu:
        raise RuntimeError(WRONG_GENERATOR.format(*(("cuda", "cpu") if on_gpu else ("cpu", "cuda"))))


def _moved(func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """x.to(...), x.cuda(), x.cpu()."""
    x, rest = args[0], args[1:]
    like = next((a for a in rest if isinstance(a, Tensor)), None)
    named = [a for a in (*rest, kwargs.get("device")) if isinstance(a, torch.device | str)]
    goes = _is_gpu(named[0]) if named else isinstance(x if like is None else like, OnGpu)
    if func is not Tensor.to:
        goes = func is Tensor.cuda
    to: Any = Tensor.to
    dtypes = [a for a in rest if isinstance(a, torch.dtype)] + ([like.dtype] if like is not None else [])
    more = {k: v for k, v in kwargs.items() if k in ("dtype", "copy", "memory_format") and v is not None}
    with torch._C.DisableTorchFunction():
        y = to(x, *dtypes, **more) if dtypes or more else x
        if goes == isinstance(x, OnGpu):
            return y.as_subclass(OnGpu) if goes and not isinstance(y, OnGpu) else y
        y = y.clone() if y is x else y
        return y.as_subclass(OnGpu if goes else Tensor)


def refused(error: BaseException) -> bool:
    """Whether an error is one of this module's: two devices mixed, NumPy, an index, a generator."""
    return str(error).startswith(
        tuple(text.split("{}")[0] for text in (TWO_DEVICES, NO_NUMPY, WRONG_INDEX, WRONG_GENERATOR))
    )


_Generator = torch.Generator
_ELSEWHERE = (__file__, os.path.dirname(torch.__file__))


class GpuGenerator(_Generator):
    """torch.Generator("cuda") on the CPU; torch.Generator("cpu") stays what it is."""

    def __new__(cls, device: Any = None) -> Any:
        """A generator of the GPU, or a plain one."""
        gpu = _is_gpu(device) or (device is None and _called_from_home())
        return _Generator.__new__(cls, "cpu") if gpu else _Generator("cpu")  # type: ignore[call-arg]

    def __init__(self, device: Any = None) -> None:
        pass

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        """cuda:0."""
        return GPU


def _marked(result: Any, arguments: Any) -> Any:
    """What a transform of torch.func returned: on the GPU if one of its arguments is."""
    return tree_map(_on, result) if any(isinstance(t, OnGpu) for t in tree_leaves(arguments)) else result


def _in_threads(original: Function) -> Function:
    def run(self: threading.Thread) -> None:
        with _Mode():  # modes belong to a thread
            original(self)

    return run


def _patches() -> Iterator[tuple[Any, str, Any]]:
    yield torch.cuda, "is_available", lambda: True
    yield torch.cuda, "synchronize", lambda device=None: None
    yield torch, "Generator", GpuGenerator
    yield threading.Thread, "run", _in_threads(threading.Thread.run)
    yield from pretend_func.patches(_marked)


@contextlib.contextmanager
def on(*home: str) -> Iterator[torch.device]:
    """The pretended GPU, for as long as the block lasts; code of these folders makes its tensors there."""
    with contextlib.ExitStack() as stack:
        for owner, name, new in list(_patches()):
            stack.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, new)
        stack.enter_context(_Mode())
        stack.callback(_home.__setitem__, slice(None), _home[:])
        _home[:] = home
        yield GPU


_process = contextlib.ExitStack()


def start(*home: str) -> torch.device:
    """The pretended GPU, for the rest of the process."""
    return _process.enter_context(on(*home))
