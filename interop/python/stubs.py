"""Stubs made at run time from a descriptor set, without generated code."""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory


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

    def _codec(self, method):
        """What a method has to do with bytes: the arguments of grpc's functions."""
        return self._type(method.input_type), self._type(method.output_type)

    def client(self, channel, service):
        """The methods of a service by name, to be called."""
        methods = {}
        for method in self.pool.FindServiceByName(service).methods:
            request, reply = self._codec(method)
            make = getattr(channel, _kind(method))
            methods[method.name] = make(f"/{service}/{method.name}", request.SerializeToString, reply.FromString)
        return methods

    def handlers(self, grpc, service, implementations):
        """What a server answers a service with."""
        handlers = {}
        for method in self.pool.FindServiceByName(service).methods:
            if method.name in implementations:
                request, reply = self._codec(method)
                make = getattr(grpc, _kind(method) + "_rpc_method_handler")
                handlers[method.name] = make(implementations[method.name], request.FromString, reply.SerializeToString)
        return grpc.method_handlers_generic_handler(service, handlers)


def _kind(method):
    """unary_unary, unary_stream, stream_unary or stream_stream."""
    proto = descriptor_pb2.MethodDescriptorProto()
    method.CopyToProto(proto)
    side = {False: "unary", True: "stream"}
    return side[proto.client_streaming] + "_" + side[proto.server_streaming]
