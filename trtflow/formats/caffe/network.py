"""What a network says of itself: its inputs, the layers that inference keeps, fields that TensorRT does not know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import Message

from trtflow.formats.caffe.caffe_pb2 import TEST, LayerParameter, NetParameter, NetState, NetStateRule
from trtflow.formats.errors import UserError

FIRST_FOREIGN = 20001  # fields from this number on are in branches of Caffe, and not in TensorRT's schema


def declared_inputs(net: NetParameter) -> list[tuple[str, list[int]]]:
    """Return name and shape, batch first, of the inputs at the head of a network, in either of Caffe's old forms.

    Raises:
        UserError: an input has no shape.
    """
    if net.input_shape:
        shapes = [list(shape.dim) for shape in net.input_shape]
    else:
        shapes = [list(net.input_dim[first : first + 4]) for first in range(0, len(net.input_dim), 4)]
    if len(net.input) != len(shapes):
        raise UserError(
            f"network {net.name!r} declares {len(net.input)} inputs and {len(shapes)} shapes. Give each input_shape."
        )
    return list(zip(net.input, shapes, strict=True))


def layer_inputs(layer: LayerParameter) -> list[tuple[str, list[int]]]:
    """Return name and shape of what an Input layer makes: a shape for each top, or one for all.

    Raises:
        UserError: the numbers do not agree.
    """
    shapes = [list(shape.dim) for shape in layer.input_param.shape]
    shapes = shapes * len(layer.top) if len(shapes) == 1 else shapes
    if len(shapes) != len(layer.top):
        raise UserError(f"Input layer {layer.name!r} has {len(layer.top)} tops and {len(shapes)} shapes. Give it both.")
    return list(zip(layer.top, shapes, strict=True))


def network_inputs(net: NetParameter) -> dict[str, list[int]]:
    """Return the shape of each input by name, batch first, however it is declared.

    Raises:
        UserError: an input has no shape.
    """
    found = dict(declared_inputs(net))
    for layer in inference_layers(net):
        if layer.type == "Input":
            found.update(layer_inputs(layer))
    return found


def inference_layers(net: NetParameter) -> list[LayerParameter]:
    """Return the layers that Caffe keeps in the phase TEST, with the level and stages that the network states."""
    state = inference_state(net)
    return [layer for layer in net.layer if is_kept(layer, state)]


def at_inference(net: NetParameter) -> NetParameter:
    """Return the network that Caffe runs at inference, of layers without rules and inputs of one top each.

    Raises:
        UserError: a layer has rules of both kinds, or an input has no shape.
    """
    made = NetParameter()
    made.CopyFrom(net)
    del made.layer[:]
    for layer in inference_layers(net):
        if layer.type == "Input":
            for name, dims in layer_inputs(layer):
                made.layer.add(name=name, type="Input", top=[name]).input_param.shape.add(dim=dims)
        else:
            made.layer.append(layer)
        for field in ("include", "exclude", "phase"):
            made.layer[-1].ClearField(field)
    return made


def inference_state(net: NetParameter) -> NetState:
    """Return the phase TEST, with the level and stages that a network states."""
    state = NetState()
    state.CopyFrom(net.state)
    state.phase = TEST
    return state


def is_kept(layer: LayerParameter, state: NetState) -> bool:
    """Whether Caffe keeps a layer: one include rule is met, or there is none and no exclude rule is met.

    Raises:
        UserError: the layer has rules of both kinds, which Caffe refuses.
    """
    if layer.include and layer.exclude:
        raise UserError(f"layer {layer.name!r} has include and exclude rules. Caffe takes one kind: leave one out.")
    if layer.include:
        return any(_meets(state, rule) for rule in layer.include)
    return not any(_meets(state, rule) for rule in layer.exclude)


def _meets(state: NetState, rule: NetStateRule) -> bool:
    return (
        (not rule.HasField("phase") or rule.phase == state.phase)
        and (not rule.HasField("min_level") or state.level >= rule.min_level)
        and (not rule.HasField("max_level") or state.level <= rule.max_level)
        and all(stage in state.stage for stage in rule.stage)
        and not any(stage in state.stage for stage in rule.not_stage)
    )


def foreign_fields(message: Message, path: str = "") -> Iterator[str]:
    """Yield the fields that a network sets and TensorRT's schema lacks, as layer[3].dropout_param.scale_train."""
    for field, value in message.ListFields():
        name = f"{path}{field.name}"
        if field.number >= FIRST_FOREIGN:
            yield name
        elif field.message_type is not None:
            yield from _within(name, value, field.is_repeated)


def _within(name: str, value: Any, repeated: bool) -> Iterator[str]:
    if not repeated:
        yield from foreign_fields(value, f"{name}.")
    else:
        for index, item in enumerate(value):
            yield from foreign_fields(item, f"{name}[{index}].")
