"""The compiled model: an ONNX graph from float32 matrix to margin, run on one thread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from placar.errors import PackageRefused
from placar.settings import calm_libraries

calm_libraries()  # before the next line loads one

import onnxruntime  # noqa: E402
from onnxruntime.capi import onnxruntime_pybind11_state as _runtime  # noqa: E402

# ONNX Runtime's exceptions share no base class but Exception.
_RUNTIME_ERRORS = (
    _runtime.Fail,
    _runtime.InvalidArgument,
    _runtime.InvalidGraph,
    _runtime.InvalidProtobuf,
    _runtime.NoSuchFile,
    _runtime.NotImplemented,
    _runtime.RuntimeException,
)


class Graph:
    """An ONNX Runtime session. Safe to run from several threads at once."""

    def __init__(self, model: bytes, columns: int) -> None:
        """Build the session.

        Raises:
            PackageRefused: the runtime cannot build it, or its input has another width.
        """
        try:
            session = onnxruntime.InferenceSession(
                model, _options(), providers=["CPUExecutionProvider"]
            )
            (source,) = session.get_inputs()
            width = source.shape[1]
        except (*_RUNTIME_ERRORS, RuntimeError, ValueError, IndexError) as error:
            raise PackageRefused("The package's model cannot be built here.") from error
        if width != columns:
            raise PackageRefused("The package's model does not fit its signature.")
        self._run = session.run

    def margins(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the margin (n,) of each row of a C-ordered float32 matrix (n, columns)."""
        (result,) = self._run(None, {"x": matrix})
        margins: NDArray[np.float64] = result[:, 0].astype(np.float64)
        return margins

    def margin(self, matrix: NDArray[np.float32]) -> float:
        """Return the margin of a matrix of one row."""
        return float(self._run(None, {"x": matrix})[0][0, 0])


def _options() -> onnxruntime.SessionOptions:
    """One thread and no memory kept back: workers are many and the box is small."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = 4
    return options
