"""Stubs made at run time from a descriptor set, without generated code."""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory


class Method:
    """A method: what it is called, and how its messages become bytes and back."""

    def __init__(self, path, request, reply, client_streams, server_streams):
        self.path, self.request, self.reply = path, request, reply
        self.client_streams, self.server_streams = client_streams, server_streams


class Stubs:
    def __init__(self, path):
        self.pool = descriptor_pool.DescriptorPool()
        with open(path, "rb") as f:
            for file in descriptor_pb2.FileDescriptorSet.FromString(f.read()).file:
                self.pool.Add(file)

    def message(self, name, **fields):
        return self._type(self.pool.FindMessageTypeByName("grpc.testing." + name))(**fields)

    def _type(self, descriptor):
        if hasattr(message_factory, "GetMessageClass"):
            return message_factory.GetMessageClass(descriptor)
        return message_factory.MessageFactory(self.pool).GetPrototype(descriptor)

    def methods(self, service):
        """The methods of a service by name."""
        methods = {}
        for method in self.pool.FindServiceByName(service).methods:
            proto = descriptor_pb2.MethodDescriptorProto()
            method.CopyToProto(proto)
            methods[method.name] = Method(
                f"/{service}/{method.name}",
                self._type(method.input_type),
                self._type(method.output_type),
                proto.client_streaming,
                proto.server_streaming,
            )
        return methods
