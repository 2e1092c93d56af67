"""torch.onnx.export as every exporter of this repository calls it, by either of
PyTorch's exporters: the one that traces, which made the files that are kept, or,
where $WSSS_DYNAMO is 1, the one that captures the graph (PyTorch 2.6 or newer with
onnxscript), which knows operator sets from 18 on."""
import inspect
import os

import torch

DYNAMO = os.environ.get("WSSS_DYNAMO") == "1"


def without_shape_inference():
    """The tracing exporter folds constants and infers shapes for a quarter of an
    hour on large graphs; the importer does both itself."""
    try:
        from torch.onnx._globals import GLOBALS
    except ImportError:  # its place since PyTorch 2.9
        from torch.onnx._internal.torchscript_exporter._globals import GLOBALS
    GLOBALS.onnx_shape_inference = False


def export(net, args, path, opset, inputs, outputs, axes=None, fold=True):
    """Writes net as an ONNX file. axes maps names to {axis: name} where sizes are
    free; fold is for the tracing exporter alone."""
    args = args if isinstance(args, tuple) else (args,)
    if DYNAMO:
        free = None
        if axes:
            free = tuple({i: torch.export.Dim.DYNAMIC for i in axes.get(n, {})} for n in inputs)
            args = tuple(widened(x, f) for x, f in zip(args, free))
        torch.onnx.export(net, args, path, opset_version=max(opset, 18), input_names=inputs, output_names=outputs,
                          dynamo=True, dynamic_shapes=free, external_data=False, verbose=False)
        return
    old = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
    torch.onnx.export(net, args, path, opset_version=opset, input_names=inputs, output_names=outputs,
                      dynamic_axes=axes, do_constant_folding=fold, **old)


def widened(x, free):
    """A size of one is taken for a constant, so the example has two."""
    for axis in free:
        if x.shape[axis] == 1:
            x = torch.cat([x, x], axis)
    return x
