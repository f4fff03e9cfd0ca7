"""Small networks that have every section and option of Darknet between them."""

from trtflow.formats.darknet.options import ACTIVATIONS


def net(*sections, width=32, height=64, channels=3):
    """Return the text of a network; a section is `kind option=value …`, with further ones behind semicolons."""
    lines = ["[net]", "batch=64", "batch=1", f"width={width}", f"height={height}", f"channels={channels}"]
    lines += ["momentum=0.9", "letter_box=1", "burn_in=1000", "policy=steps", "steps=400,450", "mosaic=1"]
    for section in "; ".join(sections).split("; "):
        kind, *options = section.split()
        lines += ["", f"[{kind}]", *options]
    return "\n".join(lines) + "\n"


def conv(filters, size=3, stride=1, activation="leaky", more=""):
    return (
        f"convolutional batch_normalize=1 filters={filters} size={size} stride={stride} pad=1 "
        f"activation={activation} {more}"
    ).strip()


def plain(filters, more=""):
    return f"convolutional size=1 stride=1 pad=1 filters={filters} activation=linear {more}".strip()


TRAINED = (
    "jitter=.3 ignore_thresh=.7 truth_thresh=1 random=1 iou_thresh=0.213 iou_normalizer=0.07 iou_loss=ciou max=200"
)
YOLO = f"yolo mask=0,1,2 anchors=12,16,19,36,40,28 classes=2 num=3 {TRAINED} nms_kind=greedynms beta_nms=0.6"
SPP = "maxpool stride=1 size=5; route layers=-2; maxpool stride=1 size=9; route layers=-4; maxpool stride=1 size=13"
# what OpenCV reads too
OPENCVS = {
    "yolov2": net(
        *(conv(16), "maxpool size=2 stride=2", conv(16), conv(8, 1), "reorg stride=2"),
        *("route layers=-3", "maxpool size=2 stride=2", conv(16), "route layers=-1,-4", plain(35)),
        "region anchors=1.3,1.7,3.1,4.0,5.0,8.1,9.4,5.1,11,10 bias_match=1 classes=2 coords=4 num=5 softmax=1 "
        "jitter=.2 rescore=1 object_scale=5 noobject_scale=1 class_scale=1 coord_scale=1 absolute=1 thresh=.6 random=0",
    ),
    "yolov4": net(
        *(conv(8, activation="mish"), conv(16, 3, 2, "mish"), conv(8, 1, 1, "mish"), "route layers=-2"),
        *(conv(8, 1, 1, "mish"), conv(8, 3, 1, "mish"), "shortcut from=-2 activation=linear", "route layers=-1,-5"),
        *(conv(16, 3, 2, "mish", "stopbackward=800"), SPP, "route layers=-1,-3,-5,-6", conv(16, 1)),
        *("upsample stride=2", "route layers=1", conv(8, 1), "route layers=-1,-3", plain(21)),
        *(f"{YOLO} scale_x_y=1.05 max_delta=5", "route layers=-4", conv(8, 3, 2), plain(21, "groups=1#32")),
        f"{YOLO} scale_x_y=1.1",
    ),
    "yolov4-tiny": net(
        *(conv(8, 3, 2), conv(16), "route layers=-1 groups=2 group_id=1", conv(8), conv(8), "route layers=-1,-2"),
        *(conv(16, 1), "route layers=-6,-1", "maxpool size=2 stride=2", plain(21), f"{YOLO} resize=1.5"),
    ),
    "yolov7": net(
        *(conv(8, activation="swish"), conv(8, 3, 2, "silu"), "maxpool size=3 stride=2", conv(8, 1, 1, "swish")),
        *("route layers=-2", conv(8, 3, 1, "swish"), "route layers=-1,-3"),
        "convolutional size=1 stride=1 pad=1 filters=21 activation=logistic",
        f"{YOLO} scale_x_y=2.0 new_coords=1 objectness_smooth=1",
    ),
    "csp-sam": net(
        *(conv(8), conv(16, 1, 1, "logistic"), conv(16, 3, 1, "mish"), "sam from=-2", conv(16, 3, 2)),
        *("avgpool", conv(4, 1, 1, "swish"), "convolutional filters=16 size=1 activation=logistic"),
        *("scale_channels from=-4", conv(24, 3, 1, "relu", "groups=8"), "shortcut from=-2 activation=leaky"),
        *("shortcut from=-3 activation=mish", plain(21), YOLO),
    ),
    "efficientnet": net(
        *(conv(8, 3, 2, "swish"), conv(16, 1, 1, "swish"), conv(16, 3, 1, "swish", "groups=16"), "avgpool"),
        *(conv(4, 1, 1, "swish"), conv(16, 1, 1, "logistic"), "scale_channels from=-4", conv(8, 1, 1, "linear")),
        *("dropout probability=.0", "shortcut from=-8 activation=linear", "avgpool", plain(10), "softmax groups=1"),
        "cost type=sse",
    ),
    "alexnet": net(
        *(
            "convolutional filters=8 size=5 stride=2 pad=0 padding=1 activation=relu",
            "maxpool size=3 stride=2 padding=0",
        ),
        *("connected output=24 activation=relu", "dropout probability=.5", "connected output=7 activation=linear"),
        *("softmax groups=1", "cost type=sse"),
        height=32,
    ),
    "cropped": net("crop crop_width=24 crop_height=48 flip=1 angle=0 saturation=1 exposure=1 noadjust=1", conv(8)),
    "repeated": net(
        conv(8), "convolutional filters=4 filters=4 size=1 activation=linear learning_rate=1 learning_rate=2"
    ),
    "activations": net(*(conv(6, 1, 1, name) for name in ("relu", "tanh", "logistic", "mish", "swish"))),
}
# what Darknet has and OpenCV reads otherwise, or not
DARKNETS = {
    "yolov1": net(
        *(conv(8, 3, 2), "local size=3 stride=1 pad=1 filters=4 activation=leaky", "dropout probability=.5"),
        *("local size=2 stride=2 filters=3 activation=linear", "conn output=54 activation=linear"),
        "detection classes=1 coords=4 rescore=1 side=3 num=1 softmax=0 sqrt=1 jitter=.2 object_scale=1 "
        "noobject_scale=.5 class_scale=1 coord_scale=5",
        width=16,
        height=16,
    ),
    "crop": net("crop crop_width=24 crop_height=40 flip=1 shift=.2", conv(8)),
    "pjreddie-resnet": net(
        *(conv(8), conv(16, 3, 2), "shortcut from=-2 activation=leaky", conv(4, 3, 1, "linear")),
        *("shortcut from=-2 alpha=0.5 beta=2 activation=linear", "avg", "soft temperature=3"),
    ),
    "several-from": net(
        *(conv(8), conv(8), conv(8), conv(8), "shortcut from=-2,-3 activation=swish"),
        *("shortcut from=-2,0 weights_type=per_feature weights_normalization=softmax",),
        *("shortcut from=-3,-4 weights_type=per_channel weights_normalization=relu activation=relu6",),
        "shortcut from=-2 weights_type=per_layer weights_normalization=none",
    ),
    "reorg3d": net(
        *(conv(8, 1), "reorg3d stride=2", conv(16, 1), "reorg stride=2 reverse=1", "batchnorm", "empty"),
        *("local_avgpool size=3 stride=2 padding=2", "activation activation=ramp", "upsample stride=2 scale=0.5"),
        "route_lhalf layers=-1,-4",
    ),
    "go": net(conv(8, activation="relu"), plain(1), "reorg extra=1", "softmax groups=1", "cost", channels=1),
    "softmaxes": net(conv(8), "softmax groups=4", plain(6), "softmax spatial=1", plain(3), "softmax noloss=1"),
    "dilated": net(
        *(conv(8), conv(8, 3, 1, "leaky", "dilation=2"), "route layers=-2"),
        *(conv(8, 3, 1, "relu", "share_index=-2 dilation=3"), conv(8, 3, 1, "relu", "share_index=1")),
        conv(8, 3, 1, "leaky", "stride_x=2 stride_y=1 cbn=1 flipped=1"),
        *("max size=3 stride_x=1 stride_y=2", "local_avg size=2 stride_x=1 stride_y=3"),
    ),
    "scaled": net(
        *(conv(8), conv(8), "sam from=-2 activation=leaky", conv(1, 1), "scale_channels from=-2 scale_wh=1"),
        *("avgpool", "scale_channels from=-2 activation=tanh", conv(4)),
    ),
    "binary": net(conv(8), conv(8, 3, 1, "leaky", "xnor=1 bin_output=1 groups=2"), "contrastive classes=3"),
    "gaussian": net(
        conv(8),
        plain(33),
        f"Gaussian_yolo mask=0,1,2 anchors=7,10,14,24,27,43 classes=2 num=3 yolo_point=left_top "
        f"scale_x_y=1.1 {TRAINED}",
    ),
    "connected": net(conv(4), "connected output=6 batch_normalize=1 activation=elu", "silence"),
    **{f"activation-{name}": net(plain(4), f"activation activation={name}") for name in ACTIVATIONS},
}
ALL = OPENCVS | DARKNETS
