"""Caffe's networks (prototxt) and weights (caffemodel), with TensorRT's SSD and RPN layers."""

from trtflow.formats.caffe.binary import (
    array_to_blob,
    blob_to_array,
    read_binaryproto,
    read_caffemodel,
    write_binaryproto,
    write_caffemodel,
)
from trtflow.formats.caffe.caffe_pb2 import BlobProto, LayerParameter, NetParameter
from trtflow.formats.caffe.faster_rcnn import convert_faster_rcnn_prototxt
from trtflow.formats.caffe.network import at_inference, inference_layers, network_inputs
from trtflow.formats.caffe.ssd import convert_ssd_prototxt
from trtflow.formats.caffe.text import read_prototxt, without_weights, write_prototxt

__all__ = [
    "BlobProto",
    "LayerParameter",
    "NetParameter",
    "array_to_blob",
    "at_inference",
    "blob_to_array",
    "convert_faster_rcnn_prototxt",
    "convert_ssd_prototxt",
    "inference_layers",
    "network_inputs",
    "read_binaryproto",
    "read_caffemodel",
    "read_prototxt",
    "without_weights",
    "write_binaryproto",
    "write_caffemodel",
    "write_prototxt",
]
