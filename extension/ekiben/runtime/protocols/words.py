"""What can be wrong with a request of another protocol, in both languages."""

from __future__ import annotations

from ..problems import TEXTS

TEXTS |= {
    "bad_json": (
        ("The body is not JSON: {detail}.", "Send JSON as application/json."),
        ("请求体不是 JSON：{detail}。", "请以 application/json 发送 JSON。"),
    ),
    "unknown_model": (
        ("There is no model {name} here.", "Ask for {known}."),
        ("此处没有模型 {name}。", "请使用 {known}。"),
    ),
    "unknown_version": (
        ("The model has no version {version} here.", "Ask for {known}, or leave the version out."),
        ("此处没有该模型的版本 {version}。", "请使用 {known}，或省略版本。"),
    ),
    "unknown_route": (
        ("The protocol has no such address here.", "Known are {known}."),
        ("此处没有该协议的这个地址。", "可用的有：{known}。"),
    ),
    "wrong_method": (
        ("{method} is not for this address.", "Use {methods}."),
        ("该地址不接受 {method}。", "请使用 {methods}。"),
    ),
    "unknown_encoding": (
        ("The encoding {encoding} is not known.", "Use gzip or deflate, or send the body as it is."),
        ("未知的编码 {encoding}。", "请使用 gzip 或 deflate，或直接发送。"),
    ),
    "bad_encoding": (
        ("The body is not whole {encoding}.", "Compress it again."),
        ("请求体不是完整的 {encoding}。", "请重新压缩。"),
    ),
    "body_type": (
        ("The body is {got}, not an object.", "Send one of the keys {wanted}."),
        ("请求体的类型是 {got}，而不是对象。", "请使用以下键之一：{wanted}。"),
    ),
    "one_key": (
        ("The body needs one of {wanted}.", "Send exactly one of them."),
        ("请求体需要 {wanted} 之一。", "请只发送其中一个。"),
    ),
    "list_type": (
        ("It is {got}, not a list.", "Send a list with one entry a row."),
        ("其类型是 {got}，而不是列表。", "请发送每行一项的列表。"),
    ),
    "object_type": (
        ("It is {got}, not an object.", "Send an object."),
        ("其类型是 {got}，而不是对象。", "请发送对象。"),
    ),
    "unequal": (
        ("It has {got} entries, and {first} has {wanted}.", "Send as many of each."),
        ("它有 {got} 项，而 {first} 有 {wanted} 项。", "请使各项数量一致。"),
    ),
    "bad_base64": (
        ("The value is not base64 of {kind}.", 'Send {{"b64": "…"}} of {kind}.'),
        ("该值不是 {kind} 的 base64。", '请以 {{"b64": "…"}} 发送 {kind}。'),
    ),
    "unknown_signature": (
        ("There is no signature {name}.", "Known are {known}."),
        ("没有签名 {name}。", "可用的有：{known}。"),
    ),
    "no_classes": (
        ("The model gives no classes.", "Use :predict or :regress."),
        ("该模型没有类别。", "请使用 :predict 或 :regress。"),
    ),
    "no_number": (
        ("The model does not give one number a row.", "Use :predict."),
        ("该模型并非每行给出一个数字。", "请使用 :predict。"),
    ),
    "unknown_content": (
        ("The content type {got} is not known here.", "Send {wanted}."),
        ("此处不接受内容类型 {got}。", "请发送 {wanted}。"),
    ),
    "bad_csv": (
        ("The body is not CSV: {detail}.", "Send UTF-8 text with a line of names first: {fields}."),
        ("请求体不是 CSV：{detail}。", "请发送 UTF-8 文本，首行为列名：{fields}。"),
    ),
    "names_or_row": (
        (
            "The first line may be names, as pandas numbers columns without names, or a row.",
            "Send a line of names first: {fields}.",
        ),
        ("首行可能是列名（pandas 会为没有名称的列编号），也可能是一行数据。", "请先发送一行列名：{fields}。"),
    ),
    "column_names": (
        ("The columns are not those of the model.", "Send {fields}."),
        ("列与模型的列不符。", "请发送 {fields}。"),
    ),
    "edited_answer": (
        (
            "The service was edited, and this protocol cannot carry what it answers ({detail}).",
            'Call /predict, or let service.py answer {{"predictions": [...]}} with one entry a row.',
        ),
        (
            "该服务已被修改，此协议无法表示其应答（{detail}）。",
            '请调用 /predict，或让 service.py 返回每行一项的 {{"predictions": [...]}}。',
        ),
    ),
    "tensor_type": (
        ("The tensor has no valid {part}.", "Send name, shape, datatype and data."),
        ("该张量缺少有效的 {part}。", "请发送 name、shape、datatype 和 data。"),
    ),
    "unknown_datatype": (
        ("{got} is no datatype.", "Use one of {wanted}."),
        ("{got} 不是数据类型。", "请使用以下之一：{wanted}。"),
    ),
    "wrong_datatype": (
        ("The datatype {got} cannot carry {kind}.", "Use {wanted}."),
        ("数据类型 {got} 无法表示{kind}。", "请使用 {wanted}。"),
    ),
    "tensor_values": (
        ("The data are not all of {datatype}.", "Send values that {datatype} can hold."),
        ("数据并非全部属于 {datatype}。", "请发送 {datatype} 能表示的值。"),
    ),
    "tensor_size": (
        (
            "The data have {got} entries, and the shape has {wanted}.",
            "Send as many values as the shape says.",
        ),
        ("数据有 {got} 项，而形状要求 {wanted} 项。", "请使数据与形状一致。"),
    ),
    "tensor_bytes": (
        ("The data have {got} bytes, not {wanted}.", "Send raw little-endian values as the shape says."),
        ("数据有 {got} 字节，应为 {wanted}。", "请按形状发送小端原始数据。"),
    ),
    "tensor_text": (
        ("The data are no list of UTF-8 texts.", "Send each as its length in 4 bytes and its bytes."),
        ("数据不是 UTF-8 文本列表。", "请将每个文本按 4 字节长度加内容发送。"),
    ),
    "tensor_shape": (
        ("The shape is {got}, not {wanted}.", "Send the shape {wanted}."),
        ("形状是 {got}，而不是 {wanted}。", "请发送形状 {wanted}。"),
    ),
    "tensor_names": (
        ("There is no input {got}.", "The inputs are {wanted}."),
        ("没有输入 {got}。", "输入有：{wanted}。"),
    ),
    "tensor_twice": (
        ("The input {got} was sent twice.", "Send it once."),
        ("输入 {got} 被发送了两次。", "请只发送一次。"),
    ),
    "tensor_missing": (
        ("The input {got} is missing.", "Send it; the inputs are {wanted}."),
        ("缺少输入 {got}。", "请补上；输入有：{wanted}。"),
    ),
    "no_tensors": (
        ("There are no inputs.", "Send one tensor for each of {wanted}."),
        ("没有输入。", "请为以下每项发送一个张量：{wanted}。"),
    ),
    "unknown_output": (
        ("There is no output {got}.", "The outputs are {wanted}."),
        ("没有输出 {got}。", "输出有：{wanted}。"),
    ),
    "no_classification": (
        ("The classification extension is not spoken here.", "Leave the parameter out."),
        ("此处不支持 classification 扩展。", "请去掉该参数。"),
    ),
    "json_length": (
        ("Inference-Header-Content-Length is not the length of the JSON part.", "Send its number of bytes."),
        ("Inference-Header-Content-Length 不是 JSON 部分的长度。", "请发送其字节数。"),
    ),
    "binary_left": (
        ("{got} bytes belong to no input.", "Give each tensor its binary_data_size."),
        ("有 {got} 字节不属于任何输入。", "请为每个张量给出 binary_data_size。"),
    ),
    "not_grpc": (
        ("This address speaks gRPC.", "Call it by a gRPC client, over HTTP/2."),
        ("该地址使用 gRPC。", "请用 gRPC 客户端通过 HTTP/2 调用。"),
    ),
    "bad_message": (
        ("The message cannot be read: {detail}.", "Send one message of the protocol's own definition."),
        ("无法读取消息：{detail}。", "请按协议定义发送一条消息。"),
    ),
    "past_deadline": (
        ("The answer was not there within the caller's {given}.", "Give it more time, or send fewer rows."),
        ("未能在调用方给定的 {given} 内应答。", "请给予更多时间，或减少行数。"),
    ),
    "ending": (
        ("The service is stopping.", "Open the stream again."),
        ("服务正在停止。", "请重新打开流。"),
    ),
    "feature_type": (
        ("The feature has neither bytes, floats nor whole numbers.", "Fill one of its three lists."),
        ("该特征不含字节、浮点数或整数。", "请填写三种列表之一。"),
    ),
    "no_tasks": (
        ("There are no tasks.", "Send one or more of {wanted}."),
        ("没有任务。", "请发送以下一项或多项：{wanted}。"),
    ),
    "unknown_task": (
        ("The method {got} is not known here.", "Use {wanted}."),
        ("未知的方法 {got}。", "请使用 {wanted}。"),
    ),
    "task_twice": (
        ("{got} of the signature {name} was asked twice.", "Ask for it once."),
        ("签名 {name} 的 {got} 被请求了两次。", "请只请求一次。"),
    ),
}
