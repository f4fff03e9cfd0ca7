"""Caffemodels of random weights, of the shapes that a prototxt implies."""

from __future__ import annotations

import numpy as np

import trtflow.reference as trt
from trtflow.formats.caffe import LayerParameter, NetParameter, array_to_blob
from trtflow.reference.record.caffe.net import Net
from trtflow.reference.record.caffe.windows import pair, spatial

SLOPE, SPREAD = 0.25, 0.1


class Drawn(Net):
    """A parse that draws the weights that it is asked for, up to a limit, and keeps them as a caffemodel's layers."""

    limit = 10**9

    def weights(self, layer, index, count=None):
        self.taken = max(self.taken, index + 1)
        found = self.blobs.setdefault(layer.name, [])
        while len(found) <= index:
            blob = len(found)
            size = count if blob == index else 1
            found.append(self.draw(layer, blob, size))
        return np.float32(found[index]).ravel()

    def draw(self, layer: LayerParameter, index: int, count: int) -> np.ndarray:
        """Return a blob of a layer, such that values keep their size from layer to layer."""
        self.limit -= count
        if self.limit < 0:
            raise OverflowError("more weights than the limit")
        random = np.random.default_rng([len(self.blobs), index])
        shape = blob_shape(layer, index, count)
        if layer.type == "BatchNorm" and index in (1, 2):
            return random.uniform(0.5, 2, shape) if index == 1 else np.full(shape, 2.0)
        if layer.type in ("Scale", "Normalize") and index == 0:
            return random.uniform(0.5, 1.5, shape)
        if layer.type == "BN" and index in (0, 3):
            return random.uniform(0.5, 1.5, shape)
        if layer.type == "PReLU":
            return random.uniform(0, 2 * SLOPE, shape)
        fan_in = np.prod(shape[1:]) if len(shape) > 1 else SPREAD**-2
        return random.normal(0, (2 / fan_in) ** 0.5 if len(shape) > 1 else SPREAD, shape)


def blob_shape(layer: LayerParameter, index: int, count: int) -> tuple[int, ...]:
    """Return the shape that Caffe stores a blob of a number of elements in."""
    if index or layer.type not in ("Convolution", "ConvolutionDepthwise", "DepthwiseConvolution", "Deconvolution",
                                   "InnerProduct"):  # fmt: skip
        return (count,)
    if layer.type == "InnerProduct":
        parameter = layer.inner_product_param
        rows = (parameter.num_output, count // parameter.num_output)
        return rows[::-1] if parameter.transpose else rows
    parameter = layer.convolution_param
    window = spatial(parameter, "kernel", pair(parameter.kernel_size, 0))
    maps = parameter.num_output // (parameter.group if layer.type == "Deconvolution" else 1)
    other = count // (maps * window[0] * window[1])
    return (other, maps, *window) if layer.type == "Deconvolution" else (maps, other, *window)


def random_weights(net: NetParameter, limit: int = 10**9) -> NetParameter:
    """Return the weights of a network as Caffe means it, float32.

    Raises:
        UserError: a layer that is not known, or that does not fit.
        OverflowError: there would be more than a limit.
    """
    drawn = Drawn("deploy.prototxt", "", net, {}, trt.Builder(trt.Logger()).create_network(), trt.float32, True)
    drawn.limit = limit
    drawn.parse()
    model = NetParameter()
    for name, blobs in drawn.blobs.items():
        model.layer.add(name=name).blobs.extend(array_to_blob(np.float32(array)) for array in blobs)
    return model
