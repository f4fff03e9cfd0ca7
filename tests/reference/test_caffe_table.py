"""The table of the fields that each layer type reads: its names are the schema's, and no field escapes it."""

import pytest
from google.protobuf.descriptor import FieldDescriptor

from trtflow.formats.caffe import LayerParameter
from trtflow.reference.record.caffe.table import CAFFE, COMMON, IDLE, TENSORRT, unread

TYPES = [
    *("Convolution", "Pooling", "InnerProduct", "ReLU", "Softmax", "SoftmaxWithLoss", "LRN", "Power", "Eltwise"),
    *("Concat", "Deconvolution", "Sigmoid", "TanH", "BatchNorm", "Scale", "Crop", "Reduction", "Reshape", "Permute"),
    *("ELU", "BNLL", "Clip", "AbsVal", "PReLU"),
]
PASSED_OVER, PLUGINS = ["Dropout", "Flatten"], ["Normalize", "PriorBox", "DetectionOutput", "RPROI"]
TABLES = [(name, table[name]) for table in (TENSORRT, CAFFE) for name in table]
SCHEMA = LayerParameter.DESCRIPTOR.fields_by_name


def fields_of(message, prefix=""):
    """Return the fields of a message, and those of messages within that a table may name, by path."""
    found = {}
    for field in message.fields:
        found[f"{prefix}{field.name}"] = field
        if field.message_type is not None and not field.is_repeated:
            found.update(fields_of(field.message_type, f"{prefix}{field.name}."))
    return found


def other_value(field):
    """Return a value that is not a field's default."""
    if field.type == FieldDescriptor.TYPE_STRING:
        return "other"
    if field.enum_type:
        return next(value.number for value in field.enum_type.values if value.number != field.default_value)
    return (not field.default_value) if field.type == FieldDescriptor.TYPE_BOOL else 3


def test_all_types_of_tensorrts_parser_are_there():
    assert len(TYPES) == 24
    assert sorted(TENSORRT) == sorted([*TYPES, *PASSED_OVER, *PLUGINS, "(factory)"])


@pytest.mark.parametrize(("name", "importer"), TABLES)
def test_names_of_the_table_are_the_schemas(name, importer):
    known = {path for part in importer.parameters for path in fields_of(SCHEMA[part].message_type)}
    assert importer.reads | (importer.idle - IDLE) <= known


def test_common_names_are_the_schemas():
    assert set(SCHEMA) >= COMMON
    every = {path for field in SCHEMA.values() if field.message_type for path in fields_of(field.message_type)}
    assert every >= IDLE


@pytest.mark.parametrize(("name", "importer"), TABLES)
def test_field_that_is_set_and_not_in_the_table_is_found(name, importer):
    for part in importer.parameters:
        for path, field in fields_of(SCHEMA[part].message_type).items():
            if "." in path or field.message_type is not None:
                continue
            layer = LayerParameter(name="l", type=name)
            parameter = getattr(layer, part)
            if field.is_repeated:
                getattr(parameter, path).append(other_value(field))
            else:
                setattr(parameter, path, other_value(field))
            expected = [] if path in importer.reads | importer.idle else [f"{part}.{path}"]
            assert list(unread(layer, importer)) == expected


def test_field_at_its_default_is_no_matter():
    layer = LayerParameter(name="l", type="InnerProduct")
    layer.inner_product_param.axis, layer.inner_product_param.transpose = 1, False
    assert not list(unread(layer, TENSORRT["InnerProduct"]))


def test_field_within_a_message_is_found():
    layer = LayerParameter(name="l", type="DetectionOutput")
    layer.detection_output_param.nms_param.eta = 0.5
    layer.detection_output_param.nms_param.top_k = 400
    assert list(unread(layer, TENSORRT["DetectionOutput"])) == ["detection_output_param.nms_param.eta"]
