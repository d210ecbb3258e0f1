"""What is known of operators before they are read: how many inputs they need, and which have no integer form."""

from __future__ import annotations

REQUIRED = {
    "Quant": 4,
    "IntQuant": 4,
    "BatchNormalization": 5,
    **dict.fromkeys(("MatMul", "Gemm", "XnorPopcountMatMul", "Conv", "MultiThreshold", "BipolarQuant"), 2),
    **dict.fromkeys(("QLinearConv", "QLinearMatMul", "QLinearAdd"), 8),
    **dict.fromkeys(("QLinearConcat", "QLinearGlobalAveragePool", "QLinearAveragePool"), 5),
    **{"QGemm": 6, "QLinearLeakyRelu": 4, "QLinearSigmoid": 4},
    **dict.fromkeys(("ConvInteger", "MatMulInteger"), 2),
    **dict.fromkeys(("PRelu", "Gather", "QuantizeLinear", "DequantizeLinear"), 2),
}
"""How many inputs must be there; one where nothing else is said."""

REFUSED = {
    **dict.fromkeys(
        ("DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM", "MatMulIntegerToFloat"),
        (
            "takes its scale from the data of each frame",
            "quantize statically, by onnxruntime.quantization.quantize_static",
        ),
    ),
    **dict.fromkeys(
        ("LSTM", "GRU", "RNN", "If", "Loop", "Scan"),
        ("carries a state or a choice, and a network is a fixed graph", "unroll it before the export"),
    ),
    **dict.fromkeys(
        ("LayerNormalization", "InstanceNormalization", "GroupNormalization", "LRN", "LpNormalization"),
        ("takes its statistics from the frame", "use BatchNormalization"),
    ),
    **dict.fromkeys(
        ("ConvTranspose", "DeformConv", "MaxUnpool", "Einsum", "Attention"),
        ("has no form in integer hardware here", "use Conv, and Resize by nearest neighbours where it shall grow"),
    ),
    "FloatQuant": ("quantizes to small floats", "quantize to integers: Quant with a whole number of bits"),
}
"""What is known, but has no exact integer form: reason and way out, by operator type."""
