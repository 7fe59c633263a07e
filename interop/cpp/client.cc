// The interop cases through Debian's libgrpc++: client TARGET [CASE...]
#include <chrono>
#include <functional>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "grpc/testing/test.grpc.pb.h"

namespace {

using namespace grpc::testing;
using grpc::ClientContext;
using grpc::Status;
using grpc::StatusCode;

const std::vector<int> kRequestSizes = {27182, 8, 1828, 45904};
const std::vector<int> kReplySizes = {31415, 9, 2653, 58979};
const char kInitial[] = "x-grpc-test-echo-initial";
const char kTrailing[] = "x-grpc-test-echo-trailing-bin";
const char kSpecial[] =
    "\t\n white space all around, % and %41,\r\n ☺ of two bytes in UTF-16, 😈 of four\t\n";

// A call that gets no answer fails instead of hanging.
struct Context : ClientContext {
  Context() { set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20)); }
};

template <typename Got, typename Want>
void Same(const Got& got, const Want& want) {
  if (!(got == want)) throw std::runtime_error("a value is not the one that was wanted");
}

void Ends(const Status& status, StatusCode code) {
  if (status.error_code() == code) return;
  throw std::runtime_error("the call ended with code " + std::to_string(status.error_code()) +
                           ", want " + std::to_string(code) + ": " + status.error_message());
}

Payload Zeros(int size) {
  Payload p;
  p.set_body(std::string(size, '\0'));
  return p;
}

StreamingOutputCallRequest Wanting(const std::vector<int>& sizes) {
  StreamingOutputCallRequest request;
  for (int size : sizes) request.add_response_parameters()->set_size(size);
  return request;
}

using Stub = TestService::Stub;

void EmptyUnary(Stub& stub) {
  Context ctx;
  Empty reply;
  Ends(stub.EmptyCall(&ctx, Empty(), &reply), StatusCode::OK);
  Same(reply.ByteSizeLong(), 0u);
}

void LargeUnary(Stub& stub) {
  Context ctx;
  SimpleRequest request;
  SimpleResponse reply;
  request.set_response_size(314159);
  *request.mutable_payload() = Zeros(271828);
  Ends(stub.UnaryCall(&ctx, request, &reply), StatusCode::OK);
  Same(reply.payload().body(), std::string(314159, '\0'));
}

void ClientStreaming(Stub& stub) {
  Context ctx;
  StreamingInputCallResponse reply;
  auto stream = stub.StreamingInputCall(&ctx, &reply);
  for (int size : kRequestSizes) {
    StreamingInputCallRequest request;
    *request.mutable_payload() = Zeros(size);
    Same(stream->Write(request), true);
  }
  stream->WritesDone();
  Ends(stream->Finish(), StatusCode::OK);
  Same(reply.aggregated_payload_size(), 74922);
}

void ServerStreaming(Stub& stub) {
  Context ctx;
  auto stream = stub.StreamingOutputCall(&ctx, Wanting(kReplySizes));
  std::vector<int> got;
  StreamingOutputCallResponse reply;
  while (stream->Read(&reply)) got.push_back(reply.payload().body().size());
  Ends(stream->Finish(), StatusCode::OK);
  Same(got, kReplySizes);
}

void PingPong(Stub& stub) {
  Context ctx;
  auto stream = stub.FullDuplexCall(&ctx);
  StreamingOutputCallResponse reply;
  for (size_t i = 0; i < kRequestSizes.size(); i++) {
    auto request = Wanting({kReplySizes[i]});
    *request.mutable_payload() = Zeros(kRequestSizes[i]);
    Same(stream->Write(request), true);
    Same(stream->Read(&reply), true);
    Same(int(reply.payload().body().size()), kReplySizes[i]);
  }
  stream->WritesDone();
  Same(stream->Read(&reply), false);
  Ends(stream->Finish(), StatusCode::OK);
}

void EmptyStream(Stub& stub) {
  Context ctx;
  auto stream = stub.FullDuplexCall(&ctx);
  stream->WritesDone();
  StreamingOutputCallResponse reply;
  Same(stream->Read(&reply), false);
  Ends(stream->Finish(), StatusCode::OK);
}

void TimeoutOnSleepingServer(Stub& stub) {
  ClientContext ctx;
  ctx.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(1));
  auto stream = stub.FullDuplexCall(&ctx);
  StreamingOutputCallRequest request;
  *request.mutable_payload() = Zeros(27182);
  stream->Write(request);
  StreamingOutputCallResponse reply;
  Same(stream->Read(&reply), false);
  Ends(stream->Finish(), StatusCode::DEADLINE_EXCEEDED);
}

void CancelAfterBegin(Stub& stub) {
  Context ctx;
  StreamingInputCallResponse reply;
  auto stream = stub.StreamingInputCall(&ctx, &reply);
  ctx.TryCancel();
  Ends(stream->Finish(), StatusCode::CANCELLED);
}

void CancelAfterFirstResponse(Stub& stub) {
  Context ctx;
  auto stream = stub.FullDuplexCall(&ctx);
  Same(stream->Write(Wanting({31415})), true);
  StreamingOutputCallResponse reply;
  Same(stream->Read(&reply), true);
  Same(reply.payload().body().size(), 31415u);
  ctx.TryCancel();
  Ends(stream->Finish(), StatusCode::CANCELLED);
}

void UnaryFails(Stub& stub, const std::string& text) {
  Context ctx;
  SimpleRequest request;
  SimpleResponse reply;
  request.mutable_response_status()->set_code(StatusCode::UNKNOWN);
  request.mutable_response_status()->set_message(text);
  auto status = stub.UnaryCall(&ctx, request, &reply);
  Ends(status, StatusCode::UNKNOWN);
  Same(status.error_message(), text);
}

void StatusCodeAndMessage(Stub& stub) {
  const std::string text = "what the server says";
  UnaryFails(stub, text);
  Context ctx;
  auto stream = stub.FullDuplexCall(&ctx);
  StreamingOutputCallRequest request;
  request.mutable_response_status()->set_code(StatusCode::UNKNOWN);
  request.mutable_response_status()->set_message(text);
  Same(stream->Write(request), true);
  StreamingOutputCallResponse reply;
  Same(stream->Read(&reply), false);
  auto status = stream->Finish();
  Ends(status, StatusCode::UNKNOWN);
  Same(status.error_message(), text);
}

void SpecialStatusMessage(Stub& stub) { UnaryFails(stub, kSpecial); }

void Echoed(const ClientContext& ctx) {
  auto header = ctx.GetServerInitialMetadata().find(kInitial);
  Same(header != ctx.GetServerInitialMetadata().end() && header->second == "sent first", true);
  auto trailer = ctx.GetServerTrailingMetadata().find(kTrailing);
  Same(trailer != ctx.GetServerTrailingMetadata().end() && trailer->second == "\xab\xab\xab", true);
}

void CustomMetadata(Stub& stub) {
  Context unary;
  unary.AddMetadata(kInitial, "sent first");
  unary.AddMetadata(kTrailing, "\xab\xab\xab");
  SimpleResponse reply;
  Ends(stub.UnaryCall(&unary, SimpleRequest(), &reply), StatusCode::OK);
  Echoed(unary);

  Context duplex;
  duplex.AddMetadata(kInitial, "sent first");
  duplex.AddMetadata(kTrailing, "\xab\xab\xab");
  auto stream = stub.FullDuplexCall(&duplex);
  Same(stream->Write(Wanting({1})), true);
  stream->WritesDone();
  StreamingOutputCallResponse output;
  Same(stream->Read(&output), true);
  Same(stream->Read(&output), false);
  Ends(stream->Finish(), StatusCode::OK);
  Echoed(duplex);
}

void UnimplementedMethod(Stub& stub) {
  Context ctx;
  Empty reply;
  Ends(stub.UnimplementedCall(&ctx, Empty(), &reply), StatusCode::UNIMPLEMENTED);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  auto channel = grpc::CreateChannel(argv[1], grpc::InsecureChannelCredentials());
  auto stub = TestService::NewStub(channel);
  auto missing = UnimplementedService::NewStub(channel);
  const std::vector<std::pair<std::string, std::function<void(Stub&)>>> cases = {
      {"empty_unary", EmptyUnary},
      {"large_unary", LargeUnary},
      {"client_streaming", ClientStreaming},
      {"server_streaming", ServerStreaming},
      {"ping_pong", PingPong},
      {"empty_stream", EmptyStream},
      {"timeout_on_sleeping_server", TimeoutOnSleepingServer},
      {"cancel_after_begin", CancelAfterBegin},
      {"cancel_after_first_response", CancelAfterFirstResponse},
      {"status_code_and_message", StatusCodeAndMessage},
      {"special_status_message", SpecialStatusMessage},
      {"custom_metadata", CustomMetadata},
      {"unimplemented_method", UnimplementedMethod},
      {"unimplemented_service",
       [&](Stub&) {
         Context ctx;
         Empty reply;
         Ends(missing->UnimplementedCall(&ctx, Empty(), &reply), StatusCode::UNIMPLEMENTED);
       }},
  };
  const std::vector<std::string> wanted(argv + 2, argv + argc);
  for (const auto& [name, run] : cases) {
    bool asked = wanted.empty();
    for (const auto& w : wanted) asked = asked || w == name;
    if (!asked) continue;
    try {
      run(*stub);
      std::cout << "ok " << name << std::endl;
    } catch (const std::exception& e) {
      std::cout << "failed " << name << ": " << e.what() << std::endl;
    }
  }
}
