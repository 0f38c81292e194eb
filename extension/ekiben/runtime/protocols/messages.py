"""The messages of the gRPC protocols, as field numbers: Open Inference V2, TensorFlow Serving, health."""

from __future__ import annotations

from .protobuf import Map, Schema

EMPTY: Schema = {}

# -- the Open Inference Protocol: grpc_service.proto of its specification -----------------------------

PARAMETER: Schema = {
    1: ("bool_param", "bool", False),
    2: ("int64_param", "int", False),
    3: ("string_param", "text", False),
    4: ("double_param", "double", False),
    5: ("uint64_param", "uint", False),
}
CONTENTS: Schema = {
    1: ("bool_contents", "bool", True),
    2: ("int_contents", "int", True),
    3: ("int64_contents", "int", True),
    4: ("uint_contents", "uint", True),
    5: ("uint64_contents", "uint", True),
    6: ("fp32_contents", "float", True),
    7: ("fp64_contents", "double", True),
    8: ("bytes_contents", "bytes", True),
}
#: Where the values of a datatype stand in CONTENTS; FP16 and BF16 travel raw only.
PLACES = {
    "BOOL": "bool_contents",
    **{f"INT{bits}": "int_contents" for bits in (8, 16, 32)},
    "INT64": "int64_contents",
    **{f"UINT{bits}": "uint_contents" for bits in (8, 16, 32)},
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
TENSOR: Schema = {
    1: ("name", "text", False),
    2: ("datatype", "text", False),
    3: ("shape", "int", True),
    4: ("parameters", Map(PARAMETER), True),
    5: ("contents", CONTENTS, False),
}
REQUESTED: Schema = {1: ("name", "text", False), 2: ("parameters", Map(PARAMETER), True)}
INFER_REQUEST: Schema = {
    1: ("model_name", "text", False),
    2: ("model_version", "text", False),
    3: ("id", "text", False),
    4: ("parameters", Map(PARAMETER), True),
    5: ("inputs", TENSOR, True),
    6: ("outputs", REQUESTED, True),
    7: ("raw_input_contents", "bytes", True),
}
INFER_RESPONSE: Schema = {
    1: ("model_name", "text", False),
    2: ("model_version", "text", False),
    3: ("id", "text", False),
    4: ("parameters", Map(PARAMETER), True),
    5: ("outputs", TENSOR, True),
    6: ("raw_output_contents", "bytes", True),
}
STREAM_RESPONSE: Schema = {1: ("error_message", "text", False), 2: ("infer_response", INFER_RESPONSE, False)}
NAMED: Schema = {1: ("name", "text", False), 2: ("version", "text", False)}
LIVE: Schema = {1: ("live", "bool", False)}
READY: Schema = {1: ("ready", "bool", False)}
SERVER_METADATA: Schema = {**NAMED, 3: ("extensions", "text", True)}
MODEL_METADATA: Schema = {
    1: ("name", "text", False),
    2: ("versions", "text", True),
    3: ("platform", "text", False),
    4: ("inputs", TENSOR, True),
    5: ("outputs", TENSOR, True),
}

# -- TensorFlow: tensor.proto, types.proto, predict.proto, get_model_metadata.proto --------------------

DIMENSION: Schema = {1: ("size", "int", False), 2: ("name", "text", False)}
SHAPE: Schema = {2: ("dim", DIMENSION, True), 3: ("unknown_rank", "bool", False)}
TENSOR_PROTO: Schema = {
    1: ("dtype", "int", False),
    2: ("tensor_shape", SHAPE, False),
    4: ("tensor_content", "bytes", False),
    5: ("float_val", "float", True),
    6: ("double_val", "double", True),
    7: ("int_val", "int", True),
    8: ("string_val", "bytes", True),
    10: ("int64_val", "int", True),
    11: ("bool_val", "bool", True),
    13: ("half_val", "int", True),
    16: ("uint32_val", "uint", True),
    17: ("uint64_val", "uint", True),
}
#: TensorFlow's number of a dtype: the Open Inference Protocol's name, and where its values stand.
DTYPES = {
    1: ("FP32", "float_val"),
    2: ("FP64", "double_val"),
    3: ("INT32", "int_val"),
    4: ("UINT8", "int_val"),
    5: ("INT16", "int_val"),
    6: ("INT8", "int_val"),
    7: ("BYTES", "string_val"),
    9: ("INT64", "int64_val"),
    10: ("BOOL", "bool_val"),
    14: ("BF16", "half_val"),
    17: ("UINT16", "int_val"),
    19: ("FP16", "half_val"),
    22: ("UINT32", "uint32_val"),
    23: ("UINT64", "uint64_val"),
}
SPEC: Schema = {
    1: ("name", "text", False),
    2: ("version", {1: ("value", "int", False)}, False),
    3: ("signature_name", "text", False),
    4: ("version_label", "text", False),
}
PREDICT_REQUEST: Schema = {
    1: ("model_spec", SPEC, False),
    2: ("inputs", Map(TENSOR_PROTO), True),
    3: ("output_filter", "text", True),
}
PREDICT_RESPONSE: Schema = {1: ("outputs", Map(TENSOR_PROTO), True), 2: ("model_spec", SPEC, False)}
METADATA_REQUEST: Schema = {1: ("model_spec", SPEC, False), 2: ("metadata_field", "text", True)}
ANY: Schema = {1: ("type_url", "text", False), 2: ("value", "bytes", False)}
METADATA_RESPONSE: Schema = {1: ("model_spec", SPEC, False), 2: ("metadata", Map(ANY), True)}
TENSOR_INFO: Schema = {
    1: ("name", "text", False),
    2: ("dtype", "int", False),
    3: ("tensor_shape", SHAPE, False),
}
SIGNATURE: Schema = {
    1: ("inputs", Map(TENSOR_INFO), True),
    2: ("outputs", Map(TENSOR_INFO), True),
    3: ("method_name", "text", False),
}
SIGNATURES: Schema = {1: ("signature_def", Map(SIGNATURE), True)}
# -- example.proto, input.proto, classification.proto, regression.proto ---------------------------------

FEATURE: Schema = {
    1: ("bytes_list", {1: ("value", "bytes", True)}, False),
    2: ("float_list", {1: ("value", "float", True)}, False),
    3: ("int64_list", {1: ("value", "int", True)}, False),
}
EXAMPLE: Schema = {1: ("features", {1: ("feature", Map(FEATURE), True)}, False)}
INPUT: Schema = {
    1: ("example_list", {1: ("examples", EXAMPLE, True)}, False),
    2: ("with_context", {1: ("examples", EXAMPLE, True), 2: ("context", EXAMPLE, False)}, False),
}
EXAMPLES_REQUEST: Schema = {1: ("model_spec", SPEC, False), 2: ("input", INPUT, False)}
CLASS: Schema = {1: ("label", "text", False), 2: ("score", "float", False)}
CLASSIFIED: Schema = {1: ("classifications", {1: ("classes", CLASS, True)}, True)}
CLASSIFY_RESPONSE: Schema = {1: ("result", CLASSIFIED, False), 2: ("model_spec", SPEC, False)}
REGRESSED: Schema = {1: ("regressions", {1: ("value", "float", False)}, True)}
REGRESS_RESPONSE: Schema = {1: ("result", REGRESSED, False), 2: ("model_spec", SPEC, False)}
# -- inference.proto -----------------------------------------------------------------------------------

TASK: Schema = {1: ("model_spec", SPEC, False), 2: ("method_name", "text", False)}
MULTI_REQUEST: Schema = {1: ("tasks", TASK, True), 2: ("input", INPUT, False)}
INFERRED: Schema = {
    1: ("model_spec", SPEC, False),
    2: ("classification_result", CLASSIFIED, False),
    3: ("regression_result", REGRESSED, False),
}
MULTI_RESPONSE: Schema = {1: ("results", INFERRED, True)}
# -- get_model_status.proto ----------------------------------------------------------------------------

STATUS: Schema = {1: ("error_code", "int", False), 2: ("error_message", "text", False)}
VERSION_STATUS: Schema = {
    1: ("version", "int", False),
    2: ("state", "int", False),
    3: ("status", STATUS, False),
}
STATUS_RESPONSE: Schema = {1: ("model_version_status", VERSION_STATUS, True)}

# -- grpc.health.v1 -----------------------------------------------------------------------------------

HEALTH: Schema = {1: ("status", "int", False)}
