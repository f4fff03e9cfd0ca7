"""The generated module belongs to the schema beside it, field by field; no protoc needed."""

import re
from pathlib import Path

from google.protobuf.descriptor import FieldDescriptor

from trtflow.formats.caffe import caffe_pb2

PROTO = Path(caffe_pb2.__file__).with_name("caffe.proto")
PACKAGE = caffe_pb2.DESCRIPTOR.package
KINDS = {value: name[5:].lower() for name, value in vars(FieldDescriptor).items() if name.startswith("TYPE_")}
FIELD = re.compile(r"(optional|required|repeated) ([\w.]+) (\w+) = (\d+)(?: \[(.*)\])?;")


def declared():
    """Return (message, label, type, name, number, default) of fields and (enum, name, number), as caffe.proto says."""
    scope, found = [], set()
    for line in re.sub(r"//.*", "", PROTO.read_text()).splitlines():
        if opened := re.match(r"\s*(?:message|enum) (\w+) \{", line):
            scope.append(opened[1])
        elif line.strip() == "}":
            scope.pop()
        elif field := FIELD.search(line):
            label, kind, name, number, options = field.groups()
            default = re.fullmatch(r'default = "?(.*?)"?', options or "")
            default = default[1] if default else None
            kind = kind.split(".")[-1]
            found.add((scope[-1], label, kind, name, int(number), number_or_text(default)))
        elif value := re.fullmatch(r"\s*(\w+) = (\d+);", line):
            found.add((".".join(scope), value[1], int(value[2])))
    return found


def compiled():
    """Return the same of caffe_pb2."""
    found = set()

    def add_enum(enum):
        name = enum.full_name.removeprefix(f"{PACKAGE}.")
        found.update((name, value.name, value.number) for value in enum.values)

    for message in caffe_pb2.DESCRIPTOR.message_types_by_name.values():
        for field in message.fields:
            label = "repeated" if field.is_repeated else "required" if field.is_required else "optional"
            kind = (field.message_type or field.enum_type).name if KINDS[field.type] in ("message", "enum") else ""
            found.add((message.name, label, kind or KINDS[field.type], field.name, field.number, default_of(field)))
        for enum in message.enum_types:
            add_enum(enum)
    for enum in caffe_pb2.DESCRIPTOR.enum_types_by_name.values():
        add_enum(enum)
    return found


def default_of(field):
    if not field.has_default_value:
        return None
    if field.enum_type:
        return field.enum_type.values_by_number[field.default_value].name
    return number_or_text(str(field.default_value).lower() if KINDS[field.type] == "bool" else str(field.default_value))


def number_or_text(default):
    """Return a number to six digits, which tells apart what float32 can, or the text as it is."""
    try:
        return f"{float(default):.6g}"
    except (TypeError, ValueError):
        return default


def test_generated_module_belongs_to_the_schema():
    assert compiled() == declared()


def test_numbers_are_those_of_caffe_and_of_tensorrt():
    fields = caffe_pb2.LayerParameter.DESCRIPTOR.fields_by_name
    tensorrt = ["permute", "detection_output", "norm", "prior_box", "roi_pooling", "region_proposal", "clip"]
    assert [fields[f"{name}_param"].number for name in tensorrt] == list(range(8781, 8788))
    assert (fields["blobs"].number, fields["convolution_param"].number, fields["input_param"].number) == (7, 106, 143)
    assert caffe_pb2.NetParameter.DESCRIPTOR.fields_by_name["layer"].number == 100
    blob = caffe_pb2.BlobProto.DESCRIPTOR.fields_by_name
    assert (blob["shape"].number, blob["data"].number, blob["double_data"].number) == (7, 5, 8)
