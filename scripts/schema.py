"""The messages of proto/partyline/v1, compiled when asked for: no generated code to keep in step."""

import pathlib
import tempfile

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc

PROTO = pathlib.Path(__file__).resolve().parent.parent / "proto"


def message(name):
    """The class of a message, such as "ViewRow"."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "descriptors.bin")
        files = [str(file) for file in sorted(PROTO.glob("partyline/v1/*.proto"))]
        if protoc.main(["protoc", f"-I{PROTO}", f"--descriptor_set_out={out}", "--include_imports", *files]):
            raise SystemExit(f"cannot compile {PROTO}")
        files = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"partyline.v1.{name}"))
